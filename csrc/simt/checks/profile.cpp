// What was launched, and what the memory system would be asked: requests, sectors and bank conflicts per source line,
// bytes per buffer.
//
// Fibers run one after the other, so requests are put together afterwards: the n-th execution of an instruction by each
// lane of a warp, counted from the last point where the warp met, is one request. The figures are those of a warp that
// stays together between meetings.
#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <set>
#include <tuple>
#include <vector>

#include "../checks.h"
#include "../json.h"
#include "../shared_memory.h"
#include "internal.h"

namespace simt::checks {

namespace {

constexpr unsigned kSector = 32;  // bytes: the unit in which global memory is moved
constexpr unsigned kBanks = 32, kBankBytes = 4;

struct Instruction {
  const void* pc;
  bool shared;
  bool write;
  bool operator<(const Instruction& other) const {
    return std::tie(pc, shared, write) < std::tie(other.pc, other.shared, other.write);
  }
};

struct Launch {
  const void* kernel;
  std::array<unsigned, 3> grid, block;
  std::size_t shared_bytes;  // dynamic
  bool operator<(const Launch& other) const {
    return std::tie(kernel, grid, block, shared_bytes) <
           std::tie(other.kernel, other.grid, other.block, other.shared_bytes);
  }
};
struct Line {
  unsigned bytes = 0;  // of one lane's access
  bool atomic = false;
  long requests = 0, lanes = 0;
  long sectors = 0, needed_sectors = 0;  // global: moved, and the fewest that hold the bytes asked for
  long passes = 0, needed_passes = 0;    // shared: with bank conflicts, and without
};
struct Traffic {
  std::size_t bytes = 0;       // of the buffer
  long read = 0, written = 0;  // sectors, as often as asked for
  long distinct_read = 0, distinct_written = 0;
};

std::map<Launch, long> launches;                                 // how often
std::map<std::pair<const void*, Instruction>, Line> lines;       // by kernel
std::map<std::pair<const void*, std::string>, Traffic> traffic;  // by kernel and buffer
std::set<std::uint64_t> sectors_read, sectors_written;           // by the running grid

// ---- requests being put together

struct Request {
  std::uint64_t address[32];
  std::uint32_t lanes = 0;
};
struct Stream {
  std::uint32_t executions[32] = {};
  std::deque<Request> requests;
  unsigned bytes = 0;
  bool atomic = false;
};
std::map<Instruction, Stream> streams[kMaxWarps];
std::uint32_t returned_lanes[kMaxWarps];

void count_traffic(std::uint64_t sector, bool write) {
  const Buffer* buffer = buffer_at_place(sector * kSector);
  if (!buffer) return;
  Traffic& counts = traffic[{kernel_call.kernel, buffer_name(*buffer)}];
  counts.bytes = buffer_bytes(*buffer);
  (write ? counts.written : counts.read)++;
  const bool first = (write ? sectors_written : sectors_read).insert(sector).second;
  (write ? counts.distinct_written : counts.distinct_read) += first;
}

void count_sectors(const Request& request, const Stream& stream, bool write, Line& line) {
  std::vector<std::uint64_t> sectors, addresses;
  for (int i = 0; i < 32; i++) {
    if (!(request.lanes >> i & 1)) continue;
    addresses.push_back(request.address[i]);
    const std::uint64_t last = (request.address[i] + stream.bytes - 1) / kSector;
    for (std::uint64_t sector = request.address[i] / kSector; sector <= last; sector++) sectors.push_back(sector);
  }
  for (auto* values : {&sectors, &addresses}) {
    std::sort(values->begin(), values->end());
    values->erase(std::unique(values->begin(), values->end()), values->end());
  }
  line.sectors += static_cast<long>(sectors.size());
  line.needed_sectors += static_cast<long>((addresses.size() * stream.bytes + kSector - 1) / kSector);
  for (std::uint64_t sector : sectors) count_traffic(sector, write);
}

// Lanes are served in groups whose accesses fill the banks once; different words in one bank take turns.
void count_passes(const Request& request, const Stream& stream, Line& line) {
  const int group = stream.bytes <= 4 ? 32 : stream.bytes == 8 ? 16 : 8;
  for (int first = 0; first < 32; first += group) {
    std::set<std::uint64_t> words[kBanks];
    for (int i = first; i < first + group; i++) {
      if (!(request.lanes >> i & 1)) continue;
      const std::uint64_t last = (request.address[i] + stream.bytes - 1) / kBankBytes;
      for (std::uint64_t word = request.address[i] / kBankBytes; word <= last; word++)
        words[word % kBanks].insert(word);
    }
    std::size_t turns = 0;
    for (const auto& bank : words) turns = std::max(turns, bank.size());
    line.passes += static_cast<long>(turns);
    line.needed_passes += turns > 0;
  }
}

void retire(const Instruction& instruction, const Stream& stream, const Request& request) {
  Line& line = lines[{kernel_call.kernel, instruction}];
  line.bytes = stream.bytes;
  line.atomic = stream.atomic;
  line.requests++;
  line.lanes += __builtin_popcount(request.lanes);
  if (instruction.shared) {
    count_passes(request, stream, line);
  } else {
    count_sectors(request, stream, instruction.write, line);
  }
}

void retire_warp(int warp) {
  for (auto& [instruction, stream] : streams[warp]) {
    for (const Request& request : stream.requests) {
      if (request.lanes) retire(instruction, stream, request);
    }
  }
  streams[warp].clear();
}

}  // namespace

void profile_grid_begin() {
  launches[{kernel_call.kernel,
            {grid_extent.x, grid_extent.y, grid_extent.z},
            {block_extent.x, block_extent.y, block_extent.z},
            block.dynamic_shared_bytes}]++;
  sectors_read.clear();
  sectors_written.clear();
}

void profile_block_end() {
  for (int warp = 0; warp < (block.threads + 31) / 32; warp++) {
    retire_warp(warp);
    returned_lanes[warp] = 0;
  }
}

void lane_returned(std::uint32_t warp, std::uint32_t lane_number) { returned_lanes[warp] |= 1u << lane_number; }

void warp_met(int warp, unsigned lanes) {
  if (warp < 0) {
    for (int i = 0; i < (block.threads + 31) / 32; i++) retire_warp(i);
    return;
  }
  const int exist = block.threads - warp * 32;
  const std::uint32_t all = exist < 32 ? ~(~0u << exist) : ~0u;
  if ((lanes | returned_lanes[warp]) == all) retire_warp(warp);
}

void count_access(const void* address, unsigned bytes, unsigned flags, const void* pc, bool shared) {
  if (flags & kAsync) return;  // made by the copy engine, not by a warp
  Stream& stream = streams[current->warp][{pc, shared, (flags & kWrite) != 0}];
  stream.bytes = bytes;
  stream.atomic = flags & kAtomic;
  const std::size_t number = stream.executions[current->lane]++;
  if (number >= stream.requests.size()) stream.requests.resize(number + 1);
  Request& request = stream.requests[number];
  request.address[current->lane] = shared ? shared_offset(address) : place_of(address);
  request.lanes |= 1u << current->lane;
}

}  // namespace simt::checks

namespace simt {

std::string profile_json() {
  using namespace checks;
  auto number = [](const char* name, long value) { return std::string(",\"") + name + "\":" + std::to_string(value); };
  auto extent = [](const char* name, const std::array<unsigned, 3>& value) {
    return std::string(",\"") + name + "\":[" + std::to_string(value[0]) + "," + std::to_string(value[1]) + "," +
           std::to_string(value[2]) + "]";
  };
  std::string json = "{\"launches\":[";
  for (const auto& [launch, count] : launches) {
    if (json.back() != '[') json += ",";
    json += "{\"kernel\":" + json_address(launch.kernel) + extent("grid", launch.grid) + extent("block", launch.block) +
            number("shared_bytes", static_cast<long>(launch.shared_bytes)) + number("count", count) + "}";
  }
  json += "],\"lines\":[";
  for (const auto& [key, line] : lines) {
    const Instruction& instruction = key.second;
    if (json.back() != '[') json += ",";
    json += "{\"kernel\":" + json_address(key.first) + ",\"pc\":" + json_address(instruction.pc) +
            ",\"space\":" + json_string(instruction.shared ? "shared" : "global") + ",\"operation\":" +
            json_string(line.atomic         ? "atomic"
                        : instruction.write ? "write"
                                            : "read") +
            number("bytes", line.bytes) + number("requests", line.requests) + number("lanes", line.lanes) +
            number("sectors", line.sectors) + number("needed_sectors", line.needed_sectors) +
            number("passes", line.passes) + number("needed_passes", line.needed_passes) + "}";
  }
  json += "],\"buffers\":[";
  for (const auto& [key, counts] : traffic) {
    if (json.back() != '[') json += ",";
    json += "{\"kernel\":" + json_address(key.first) + ",\"name\":" + json_string(key.second) +
            number("bytes", static_cast<long>(counts.bytes)) + number("read", counts.read * kSector) +
            number("written", counts.written * kSector) + number("distinct_read", counts.distinct_read * kSector) +
            number("distinct_written", counts.distinct_written * kSector) + "}";
  }
  return json + "]}";
}

void clear_profile() {
  checks::launches.clear();
  checks::lines.clear();
  checks::traffic.clear();
}

}  // namespace simt
