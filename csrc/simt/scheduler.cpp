// Runs a grid: block after block, and inside a block every thread until it waits.
//
// A schedule decides in which order threads start and waiting ones go on. A kernel without races gives the same bits
// under every schedule; one with races may not.
#include <algorithm>
#include <map>
#include <mutex>
#include <numeric>
#include <vector>

#include "checks.h"
#include "shared_memory.h"
#include "state.h"

namespace simt {

Thread* current;
uint3 thread_index;
std::uint32_t lane;
uint3 block_index;
dim3 block_extent, grid_extent;
bool tracing;

Block block;
KernelCall kernel_call;
Schedule schedule;

namespace {

std::uint64_t random_state = 1;
Thread* start_order[kMaxThreads];
int started;
bool grid_abandoned;
std::string error;

// Runnable threads, a ring: at most all of them are in it.
Thread* runnable[kMaxThreads];
unsigned runnable_head, runnable_tail;

Thread* take_runnable() {
  if (runnable_head == runnable_tail) return nullptr;
  if (schedule.order == Order::random) {
    const unsigned chosen = runnable_head + random_below(runnable_tail - runnable_head);
    std::swap(runnable[runnable_head % kMaxThreads], runnable[chosen % kMaxThreads]);
  }
  return runnable[runnable_head++ % kMaxThreads];
}

Thread* take_unstarted() { return started < block.threads ? start_order[started++] : nullptr; }

void fiber_main();

// Leave the running fiber for the next thread that can run, or for the host where none can.
void run_next(Fiber* from, bool never_back) {
  if (Thread* next = take_runnable()) {
    if (&next->fiber == from) return;
    switch_to_thread(from, next, never_back);
  } else if (Thread* next = take_unstarted()) {
    start_fiber(next, fiber_main);
    switch_to_thread(from, next, never_back);
  } else {
    switch_to_host(from, never_back);
  }
}

void fiber_main() {
  entered_fiber();
  for (;;) {
    Thread* thread = current;
    tracing = true;
    kernel_call.run(kernel_call.context);
    tracing = false;
    thread_returned(thread);
    const bool nobody_waits_for_this_core = runnable_head == runnable_tail;
    Thread* next = nobody_waits_for_this_core ? take_unstarted() : nullptr;
    if (!next) {
      release_stack(thread);
      Fiber dead;
      run_next(&dead, true);
    }
    // A kernel that never waits runs all its threads on one fiber, without a switch.
    next->fiber.stack = thread->fiber.stack;
    current = next;
    thread_index = next->index;
    lane = next->lane;
  }
}

void choose_start_order() {
  for (int i = 0; i < block.threads; i++) {
    start_order[i] = &block.thread[schedule.order == Order::reverse ? block.threads - 1 - i : i];
  }
  if (schedule.order != Order::random) return;
  for (int i = block.threads - 1; i > 0; i--) std::swap(start_order[i], start_order[random_below(i + 1)]);
}

void report_deadlock() {
  Finding finding;
  finding.kind = "deadlock";
  finding.second.block = linear_block();
  std::map<std::string, int> places;
  for (int i = 0; i < block.threads; i++) {
    const Thread& thread = block.thread[i];
    if (!thread.waiting) continue;
    if (!finding.place.file) {
      finding.place = thread.waits_at;
      finding.second.thread = thread.linear;
    }
    places[std::string(thread.waits_in) + " at " + thread.waits_at.file + ":" + std::to_string(thread.waits_at.line)]++;
  }
  for (const auto& [place, count] : places) {
    finding.message += (finding.message.empty() ? "" : "; ") + std::to_string(count) + " threads wait in " + place;
  }
  add_finding(finding);
  set_error("deadlock: " + finding.message);
}

// As a GPU refuses the launch, whether the kernel comes to that memory or not.
void report_too_much_shared_memory() {
  Finding finding;
  finding.kind = "too much shared memory";
  finding.message = "the launch asks for " + std::to_string(block.dynamic_shared_bytes) +
                    " bytes; the limit of a block is " + std::to_string(shared_memory_limit) + " bytes";
  add_finding(finding);
  set_error(finding.kind + ": " + finding.message);
}

void run_block(std::size_t shared_bytes) {
  block.serial++;
  block.alive = block.threads;
  started = 0;
  runnable_head = runnable_tail = 0;
  for (int i = 0; i < block.threads; i++) block.thread[i].waiting = false;
  collectives_block_begin();
  async_copies_block_begin();
  checks::block_begin();
  shared_memory_block_begin(shared_bytes);
  choose_start_order();
  Thread* first = take_unstarted();
  start_fiber(first, fiber_main);
  switch_from_host(first);
  tracing = false;
  checks::block_end();
  if (grid_abandoned) return;
  if (block.alive) {
    grid_abandoned = true;
    report_deadlock();
  } else if (async_copies_left()) {
    Finding finding;
    finding.kind = "async copy never waited for";
    finding.message = "the block ends with cp.async groups in flight";
    finding.second.block = linear_block();
    add_finding(finding);
  }
}

void set_block_index(std::uint64_t linear) {
  block_index.x = static_cast<unsigned>(linear % grid_extent.x);
  block_index.y = static_cast<unsigned>(linear / grid_extent.x % grid_extent.y);
  block_index.z = static_cast<unsigned>(linear / grid_extent.x / grid_extent.y);
}

std::vector<std::uint64_t> block_order(std::uint64_t blocks) {
  std::vector<std::uint64_t> order(blocks);
  std::iota(order.begin(), order.end(), std::uint64_t{0});
  if (schedule.order == Order::reverse) std::reverse(order.begin(), order.end());
  if (schedule.order == Order::random) {
    for (std::uint64_t i = blocks; i > 1; i--) {
      std::swap(order[i - 1], order[random_below(static_cast<std::uint32_t>(i))]);
    }
  }
  return order;
}

bool accepts(const LaunchConfig& config) {
  const auto& [grid, extent, shared_bytes, stream] = config;
  const std::uint64_t threads = std::uint64_t{extent.x} * extent.y * extent.z;
  if (threads >= 1 && threads <= kMaxThreads && extent.z <= 64 && grid.x >= 1 && grid.x <= 0x7fffffff && grid.y >= 1 &&
      grid.y <= 65535 && grid.z >= 1 && grid.z <= 65535) {
    return true;
  }
  set_error("invalid launch: grid (" + std::to_string(grid.x) + ", " + std::to_string(grid.y) + ", " +
            std::to_string(grid.z) + "), block (" + std::to_string(extent.x) + ", " + std::to_string(extent.y) + ", " +
            std::to_string(extent.z) + ")");
  return false;
}

}  // namespace

std::uint32_t random_below(std::uint32_t bound) {  // xorshift64
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return static_cast<std::uint32_t>((random_state >> 32) * bound >> 32);
}

void make_runnable(Thread* thread) {
  thread->waiting = false;
  runnable[runnable_tail++ % kMaxThreads] = thread;
}

void wait_here(const char* what, Place place) {
  Thread* thread = current;
  thread->waiting = true;
  thread->waits_in = what;
  thread->waits_at = place;
  run_next(&thread->fiber, false);
}

void maybe_let_others_run(const char* what, Place place) {
  if (schedule.order != Order::random) return;
  Thread* thread = current;
  make_runnable(thread);
  thread->waits_in = what;
  thread->waits_at = place;
  run_next(&thread->fiber, false);
}

void set_error(const std::string& message) {
  if (error.empty()) error = message;
}

const char* last_error() {
  static std::string taken;
  taken = std::move(error);
  error.clear();
  return taken.c_str();
}

void abandon_grid(const std::string& message) {
  set_error(message);
  grid_abandoned = true;
  Fiber dead;
  switch_to_host(&dead, true);
  __builtin_unreachable();
}

std::uint64_t linear_block() {
  return block_index.x + std::uint64_t{grid_extent.x} * (block_index.y + std::uint64_t{grid_extent.y} * block_index.z);
}

void run_grid(const LaunchConfig& config, const KernelCall& call) {
  if (current) {
    Finding finding;
    finding.kind = "launch inside a kernel";
    finding.message = "there is no dynamic parallelism here";
    finding.second = access_here(__builtin_return_address(0), kLaunch);
    fault(finding);
  }
  static std::mutex one_grid_at_a_time;
  std::lock_guard<std::mutex> lock(one_grid_at_a_time);
  if (!accepts(config)) return;
  block_extent = config.block;
  grid_extent = config.grid;
  kernel_call = call;
  grid_abandoned = false;
  random_state = schedule.seed * 0x9e3779b97f4a7c15ull + 1;
  block.threads = static_cast<int>(config.block.x * config.block.y * config.block.z);
  block.dynamic_shared_bytes = config.shared_bytes;
  if (config.shared_bytes > shared_memory_limit) return report_too_much_shared_memory();
  for (int i = 0; i < block.threads; i++) {
    Thread& thread = block.thread[i];
    const unsigned linear = static_cast<unsigned>(i);
    thread.index = {linear % config.block.x, linear / config.block.x % config.block.y,
                    linear / (config.block.x * config.block.y)};
    thread.linear = linear;
    thread.lane = linear % 32;
    thread.warp = linear / 32;
  }
  checks::grid_begin();
  for (std::uint64_t linear : block_order(std::uint64_t{config.grid.x} * config.grid.y * config.grid.z)) {
    set_block_index(linear);
    run_block(config.shared_bytes);
    if (grid_abandoned) break;
  }
  checks::grid_end();
  if (grid_abandoned) release_all_stacks();
}

}  // namespace simt
