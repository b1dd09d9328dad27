// Data races by happens-before: each thread has a clock per thread of its block, barriers and __syncwarp join them, and
// every word of memory remembers who wrote and read it last. Two accesses of which one writes race unless one is known
// to come first. Exact for the execution that happened, whatever the values were.
//
// Blocks are unordered, so an access in one block races with a write in another, except after a hand-over by
// __threadfence and an atomic, the way the last block of a grid learns that the others are done.
#include <cstring>
#include <memory>
#include <set>
#include <unordered_map>
#include <vector>

#include "../checks.h"
#include "../shared_memory.h"
#include "internal.h"

namespace simt::checks {

namespace {

// ---- who knows of whom

std::vector<std::uint32_t> clocks;  // (threads, threads): row t is what thread t knows
std::uint32_t* row(std::uint32_t thread) { return clocks.data() + std::size_t{thread} * block.threads; }

bool fenced;                                                        // this block has passed a __threadfence
std::set<std::uint64_t> acquired;                                   // blocks whose writes it may read
std::unordered_map<const void*, std::set<std::uint64_t>> released;  // blocks that fenced, then updated this counter

// ---- what memory remembers

struct Stamp {
  std::uint32_t clock = 0;  // of its thread at the access; 0 where there was none
  std::uint32_t thread = 0;
  std::uint64_t block = 0;
  const void* pc = nullptr;
  unsigned flags = 0;
};

struct Cell {
  Stamp write;
  Stamp read;                                      // of the running block
  Stamp other_read;                                // of another block, unordered with this one
  std::unique_ptr<std::vector<Stamp>> more_reads;  // of the running block, unordered with `read`
};

// Memory is watched in pages of words, or of bytes once a page sees an access smaller than a word.
constexpr unsigned kPageBits = 12;
constexpr std::uintptr_t kPageMask = (1u << kPageBits) - 1;
struct Page {
  unsigned shift = 2;
  std::vector<Cell> cells{std::size_t{1} << (kPageBits - 2)};
};
std::unordered_map<std::uintptr_t, std::unique_ptr<Page>> pages;

Cell copy_of(const Cell& cell) {
  Cell copy;
  copy.write = cell.write;
  copy.read = cell.read;
  copy.other_read = cell.other_read;
  if (cell.more_reads) copy.more_reads = std::make_unique<std::vector<Stamp>>(*cell.more_reads);
  return copy;
}

Page& page_for(std::uintptr_t address, unsigned bytes) {
  auto& page = pages[address >> kPageBits];
  if (!page) page = std::make_unique<Page>();
  if (page->shift == 2 && ((address | bytes) & 3)) {
    std::vector<Cell> split(std::size_t{1} << kPageBits);
    for (std::size_t i = 0; i < split.size(); i++) split[i] = copy_of(page->cells[i / 4]);
    page->cells = std::move(split);
    page->shift = 0;
  }
  return *page;
}

// ---- the rule

bool comes_before(const Stamp& earlier) {
  if (earlier.block != linear_block()) return acquired.count(earlier.block) != 0;
  return earlier.thread == current->linear || earlier.clock <= row(current->linear)[earlier.thread];
}

void report_race(const Stamp& earlier, const void* address, unsigned flags, const void* pc) {
  Finding finding;
  finding.kind = "data race";
  finding.message = std::string(flags & kWrite ? "a write" : "a read") + " is not ordered with an earlier " +
                    (earlier.flags & kWrite ? "write" : "read");
  if (earlier.block != linear_block()) finding.message += " of another block";
  finding.first = {earlier.pc, earlier.flags, earlier.thread, earlier.block};
  finding.second = access_here(pc, flags);
  finding.location = describe(address);
  add_finding(finding);
}

void check_against(const Stamp& earlier, const void* address, unsigned flags, const void* pc) {
  if (!earlier.clock || comes_before(earlier)) return;
  if (flags & kAtomic && earlier.flags & kAtomic) return;
  report_race(earlier, address, flags, pc);
}

void forget_older_blocks(Cell& cell) {
  if (!cell.read.clock || cell.read.block == linear_block()) return;
  if (!cell.other_read.clock) cell.other_read = cell.read;
  cell.read = {};
  cell.more_reads.reset();
}

void remember_read(Cell& cell, const Stamp& now) {
  if (!cell.read.clock || comes_before(cell.read)) {
    cell.read = now;
    return;
  }
  if (!cell.more_reads) cell.more_reads = std::make_unique<std::vector<Stamp>>();
  for (Stamp& read : *cell.more_reads) {
    if (read.thread != now.thread) continue;
    read = now;
    return;
  }
  cell.more_reads->push_back(now);
}

void remember_write(Cell& cell, const Stamp& now) {
  cell.write = now;
  cell.read = cell.other_read = {};
  cell.more_reads.reset();
}

void visit(Cell& cell, const void* address, const Stamp& now) {
  forget_older_blocks(cell);
  check_against(cell.write, address, now.flags, now.pc);
  if (!(now.flags & kWrite)) {
    remember_read(cell, now);
    return;
  }
  check_against(cell.read, address, now.flags, now.pc);
  check_against(cell.other_read, address, now.flags, now.pc);
  if (cell.more_reads) {
    for (const Stamp& read : *cell.more_reads) check_against(read, address, now.flags, now.pc);
  }
  remember_write(cell, now);
}

void hand_over(const void* counter) {
  if (!fenced) return;
  auto& blocks = released[counter];
  acquired.insert(blocks.begin(), blocks.end());
  blocks.insert(acquired.begin(), acquired.end());
  blocks.insert(linear_block());
}

}  // namespace

void races_grid_begin() {
  pages.clear();
  released.clear();
}

void races_block_begin() {
  const auto shared = reinterpret_cast<std::uintptr_t>(shared_memory);
  for (auto page = shared >> kPageBits; page <= (shared + kSharedMemoryBytes) >> kPageBits; page++) pages.erase(page);
  clocks.assign(std::size_t(block.threads) * block.threads, 0);
  for (int i = 0; i < block.threads; i++) row(i)[i] = 1;
  acquired.clear();
  fenced = false;
}

void fence() { fenced = true; }

void threads_met(const std::uint16_t* threads, int count) {
  static std::vector<std::uint32_t> joined;
  joined.assign(block.threads, 0);
  for (int i = 0; i < count; i++) {
    const std::uint32_t* known = row(threads[i]);
    for (int k = 0; k < block.threads; k++) joined[k] = known[k] > joined[k] ? known[k] : joined[k];
  }
  for (int i = 0; i < count; i++) {
    std::memcpy(row(threads[i]), joined.data(), joined.size() * sizeof joined[0]);
    row(threads[i])[threads[i]]++;
  }
}

void check_races(const void* raw, unsigned bytes, unsigned flags, const void* pc, bool shared) {
  if (!shared && flags & kAtomic) hand_over(raw);
  const std::uint32_t thread = current->linear;
  const Stamp now{row(thread)[thread], thread, linear_block(), pc, flags};
  const auto begin = reinterpret_cast<std::uintptr_t>(raw);
  for (std::uintptr_t address = begin; address < begin + bytes;) {
    Page& page = page_for(address, bytes | static_cast<unsigned>(begin & 3));
    const std::uintptr_t page_end = (address | kPageMask) + 1;
    const std::uintptr_t end = page_end < begin + bytes ? page_end : begin + bytes;
    for (; address < end; address += std::uintptr_t{1} << page.shift) {
      Cell& cell = page.cells[(address & kPageMask) >> page.shift];
      visit(cell, reinterpret_cast<const void*>(address), now);
    }
  }
}

}  // namespace simt::checks
