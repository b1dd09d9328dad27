// The shared memory of the running block: variables are laid out one after the other as the kernel comes to them.
#include "shared_memory.h"

#include <cstring>

#include "checks.h"
#include "state.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace simt {

alignas(1024) unsigned char shared_memory[kSharedMemoryBytes];
std::size_t shared_memory_limit = kMaxSharedMemory;

namespace {

#if defined(SIMT_CHECK) || defined(__SANITIZE_ADDRESS__)
constexpr std::size_t kRedZone = 128;
#else
constexpr std::size_t kRedZone = 0;
#endif
constexpr std::size_t kBankRow = 128;  // a variable starts at bank 0

std::size_t used;         // of the arena, red zones included
std::size_t kernel_uses;  // what the kernel would use on a GPU
std::size_t dynamic_offset;

unsigned char* carve(std::size_t bytes, std::size_t alignment, const char* name) {
  const std::size_t row = alignment < kBankRow ? kBankRow : alignment;
  const std::size_t offset = (used + kRedZone + row - 1) / row * row;
  kernel_uses = (kernel_uses + alignment - 1) / alignment * alignment + bytes;
  if (kernel_uses > shared_memory_limit || offset + bytes > kSharedMemoryBytes) {
    fault("too much shared memory", Place{nullptr, 0}, "with '%s' a block uses %zu bytes; the limit is %zu", name,
          kernel_uses, shared_memory_limit);
  }
  used = offset + bytes;
#if defined(__SANITIZE_ADDRESS__)
  __asan_unpoison_memory_region(shared_memory + offset, bytes);
#endif
  std::memset(shared_memory + offset, 0xff, bytes);  // NaN in every format, so that an unwritten read shows in results
  checks::shared_memory_carved(offset, bytes);
  return shared_memory + offset;
}

}  // namespace

void shared_memory_block_begin(std::size_t dynamic_bytes) {
  used = kernel_uses = 0;
#if defined(__SANITIZE_ADDRESS__)
  __asan_poison_memory_region(shared_memory, sizeof shared_memory);
#endif
  dynamic_offset = static_cast<std::size_t>(carve(dynamic_bytes, 1024, "dynamic shared memory") - shared_memory);
}

void* shared_variable(SharedVariable& variable, std::size_t bytes, std::size_t alignment, const char* name) {
  Untraced untraced;
  if (variable.block != block.serial) {
    variable.data = carve(bytes, alignment, name);
    variable.block = block.serial;
  }
  return variable.data;
}

void* dynamic_shared_memory() { return shared_memory + dynamic_offset; }

}  // namespace simt
