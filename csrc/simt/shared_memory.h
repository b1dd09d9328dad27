// Where the shared memory of the running block lies.
#pragma once

#include <cstddef>

namespace simt {

constexpr std::size_t kMaxSharedMemory = 232448;                      // of one block on sm_90; 166912 on sm_80
constexpr std::size_t kSharedMemoryBytes = kMaxSharedMemory + 16384;  // room for red zones
extern unsigned char shared_memory[kSharedMemoryBytes];
extern std::size_t shared_memory_limit;

inline bool in_shared_memory(const void* address) {
  return address >= shared_memory && address < shared_memory + kSharedMemoryBytes;
}
inline std::size_t shared_offset(const void* address) {
  return static_cast<std::size_t>(static_cast<const unsigned char*>(address) - shared_memory);
}

}  // namespace simt
