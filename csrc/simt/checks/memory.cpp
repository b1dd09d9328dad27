// Where a kernel may read and write: every access of a file compiled with -fsanitize=thread arrives here, because this
// file, and not the compiler's library, defines the functions that such a file calls.
#include <link.h>

#include <cstdlib>
#include <cstring>
#include <vector>

#include "../checks.h"
#include "../shared_memory.h"
#include "internal.h"

namespace simt::checks {

struct Buffer {
  const char* data;
  std::size_t bytes;
  std::string name;
  bool writable;
  // One flag per byte where the buffer came unwritten, else empty: all of it may be read.
  std::vector<bool> written;
  std::uint64_t place;  // see place_of
};

namespace {

constexpr std::uint64_t kPlaces = 256;  // a buffer begins in the first 16 bytes of so many
std::vector<Buffer> buffers;
std::uint64_t free_place = kPlaces;
const char *image_begin, *image_end;       // this module's own code and data
unsigned char carved[kSharedMemoryBytes];  // whether a byte belongs to a variable
unsigned char shared_written[kSharedMemoryBytes];
struct PendingCopy {
  std::uint32_t thread;
  std::size_t begin, end;
  const void* pc;
};
std::vector<PendingCopy> pending_copies;

int find_image(dl_phdr_info* info, std::size_t, void*) {
  const char* begin = nullptr;
  const char* end = nullptr;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    if (info->dlpi_phdr[i].p_type != PT_LOAD) continue;
    const char* segment = reinterpret_cast<const char*>(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
    if (!begin || segment < begin) begin = segment;
    if (segment + info->dlpi_phdr[i].p_memsz > end) end = segment + info->dlpi_phdr[i].p_memsz;
  }
  const char* mine = reinterpret_cast<const char*>(&current);
  if (mine < begin || mine >= end) return 0;
  image_begin = begin;
  image_end = end;
  return 1;
}

bool inside(const void* address, const void* begin, std::size_t bytes) {
  return address >= begin && address < static_cast<const char*>(begin) + bytes;
}

Finding finding_of(const char* kind, std::string message, const void* address, unsigned flags, const void* pc) {
  Finding finding;
  finding.kind = kind;
  finding.message = std::move(message);
  finding.second = access_here(pc, flags);
  finding.location = describe(address);
  return finding;
}

std::string words(unsigned bytes, unsigned flags) {
  return std::string(flags & kWrite ? "write of " : "read of ") + std::to_string(bytes) + " bytes";
}

void check_alignment(const char* address, unsigned bytes, unsigned flags, const void* pc) {
  const bool power_of_two = bytes <= 16 && (bytes & (bytes - 1)) == 0;
  if (flags & kAnyAlignment || !power_of_two || reinterpret_cast<std::uintptr_t>(address) % bytes == 0) return;
  fault(finding_of("misaligned access", words(bytes, flags), address, flags, pc));
}

void check_shared(const char* address, unsigned bytes, unsigned flags, const void* pc) {
  const std::size_t begin = shared_offset(address), end = begin + bytes;
  for (std::size_t i = begin; i < end; i++) {
    if (i >= kSharedMemoryBytes || !carved[i]) {
      fault(finding_of("out-of-bounds shared access", words(bytes, flags), address, flags, pc));
    }
  }
  check_alignment(address, bytes, flags, pc);
  if (!(flags & kAsync)) {
    for (const PendingCopy& copy : pending_copies) {
      if (copy.thread != current->linear || copy.end <= begin || copy.begin >= end) continue;
      Finding finding =
          finding_of("async copy not waited for", words(bytes, flags) + " before cp_async_wait", address, flags, pc);
      finding.first = access_here(copy.pc, kWrite | kAsync);
      add_finding(finding);
    }
  }
  if (flags & kWrite) {
    std::memset(shared_written + begin, 1, bytes);
  } else if (std::memchr(shared_written + begin, 0, bytes)) {
    add_finding(finding_of("read of unwritten memory", words(bytes, flags), address, flags, pc));
  }
}

bool never_written(const Buffer& buffer, const char* address, unsigned bytes) {
  if (buffer.written.empty()) return false;
  const std::size_t begin = static_cast<std::size_t>(address - buffer.data);
  for (std::size_t i = begin; i < begin + bytes; i++) {
    if (!buffer.written[i]) return true;
  }
  return false;
}

void mark_written(const char* address, unsigned bytes) {
  for (Buffer& buffer : buffers) {
    if (buffer.written.empty() || !inside(address, buffer.data, buffer.bytes)) continue;
    const std::size_t begin = static_cast<std::size_t>(address - buffer.data);
    for (std::size_t i = begin; i < begin + bytes && i < buffer.bytes; i++) buffer.written[i] = true;
  }
}

[[noreturn]] void fault_outside_buffers(const char* address, unsigned bytes, unsigned flags, const void* pc) {
  if (on_some_stack(address)) {
    fault(finding_of("access to another thread's local memory", words(bytes, flags), address, flags, pc));
  }
  constexpr std::ptrdiff_t kNear = 65536;
  const Buffer* nearest = nullptr;
  std::ptrdiff_t distance = kNear;
  for (const Buffer& buffer : buffers) {
    const std::ptrdiff_t past = address < buffer.data ? buffer.data - address : address - (buffer.data + buffer.bytes);
    if (past < distance) {
      nearest = &buffer;
      distance = past;
    }
  }
  Finding finding = finding_of("out-of-bounds global access", words(bytes, flags), address, flags, pc);
  if (nearest) {
    finding.location = "'" + nearest->name + "' at byte " + std::to_string(address - nearest->data) + " of " +
                       std::to_string(nearest->bytes);
  }
  fault(finding);
}

void check_global(const char* address, unsigned bytes, unsigned flags, const void* pc) {
  // The same memory may be registered twice, as input and as output of an operator in place.
  bool found = false, allowed = false, unwritten = true;
  for (const Buffer& buffer : buffers) {
    if (address < buffer.data || address + bytes > buffer.data + buffer.bytes) continue;
    found = true;
    allowed = allowed || !(flags & kWrite) || buffer.writable;
    unwritten = unwritten && never_written(buffer, address, bytes);
  }
  if (!found) fault_outside_buffers(address, bytes, flags, pc);
  if (!allowed) fault(finding_of("write to a read-only buffer", words(bytes, flags), address, flags, pc));
  check_alignment(address, bytes, flags, pc);
  if (flags & kWrite) {
    mark_written(address, bytes);
  } else if (unwritten) {
    add_finding(finding_of("read of unwritten memory", words(bytes, flags), address, flags, pc));
  }
}

}  // namespace

const Buffer* buffer_at(const void* address) {
  for (const Buffer& buffer : buffers) {
    if (inside(address, buffer.data, buffer.bytes)) return &buffer;
  }
  return nullptr;
}

std::uint64_t place_of(const void* address) {
  const Buffer* buffer = buffer_at(address);
  return buffer->place + static_cast<std::uint64_t>(static_cast<const char*>(address) - buffer->data);
}

const Buffer* buffer_at_place(std::uint64_t place) {
  for (const Buffer& buffer : buffers) {
    if (place >= buffer.place / kPlaces * kPlaces && place < buffer.place + buffer.bytes) return &buffer;
  }
  return nullptr;
}

const std::string& buffer_name(const Buffer& buffer) { return buffer.name; }
std::size_t buffer_bytes(const Buffer& buffer) { return buffer.bytes; }

std::string describe(const void* address) {
  if (in_shared_memory(address)) return "shared memory at byte " + std::to_string(shared_offset(address));
  if (const Buffer* buffer = buffer_at(address)) {
    return "'" + buffer->name + "' at byte " + std::to_string(static_cast<const char*>(address) - buffer->data);
  }
  return "no known buffer";
}

void memory_block_begin() {
  std::memset(carved, 0, sizeof carved);
  pending_copies.clear();
}

void shared_memory_carved(std::size_t offset, std::size_t bytes) {
  std::memset(carved + offset, 1, bytes);
  std::memset(shared_written + offset, 0, bytes);
}

void copy_issued(const void* shared, unsigned bytes, const void* pc) {
  if (!in_shared_memory(shared)) {
    fault(finding_of("async copy", "the destination is not shared memory", shared, kWrite | kAsync, pc));
  }
  const std::size_t begin = shared_offset(shared);
  pending_copies.push_back({current->linear, begin, begin + bytes, pc});
}

void copy_landed(const void* shared, unsigned bytes) {
  const std::size_t begin = shared_offset(shared);
  for (auto copy = pending_copies.begin(); copy != pending_copies.end(); ++copy) {
    if (copy->thread != current->linear || copy->begin != begin || copy->end != begin + bytes) continue;
    pending_copies.erase(copy);
    return;
  }
}

void grid_begin() {
  if (!image_begin) dl_iterate_phdr(find_image, nullptr);
  races_grid_begin();
  profile_grid_begin();
}

void grid_end() { races_grid_begin(); }

void block_begin() {
  memory_block_begin();
  races_block_begin();
}

void block_end() { profile_block_end(); }

void access(const void* raw, unsigned bytes, unsigned flags, const void* pc) {
  const char* address = static_cast<const char*>(raw);
  if (bytes == 0 || inside(address, current->fiber.stack, kStackBytes)) return;  // own locals
  const bool shared = in_shared_memory(address);
  if (!shared) {
    if (address >= image_begin && address < image_end) return;                    // threadIdx and constants
    if (inside(address, kernel_call.context, kernel_call.context_bytes)) return;  // arguments
    check_global(address, bytes, flags, pc);
  } else {
    check_shared(address, bytes, flags, pc);
  }
  check_races(address, bytes, flags, pc, shared);
  count_access(address, bytes, flags, pc, shared);
}

}  // namespace simt::checks

namespace simt {

void register_buffer(const void* data, std::size_t bytes, const char* name, BufferUse use) {
  const bool shared_with_an_input = bytes && checks::buffer_at(data);
  const std::uint64_t place = checks::free_place + reinterpret_cast<std::uintptr_t>(data) % 16;
  checks::free_place = (place + bytes) / checks::kPlaces * checks::kPlaces + checks::kPlaces;
  checks::buffers.push_back({static_cast<const char*>(data), bytes, name, use != BufferUse::read, {}, place});
  if (use == BufferUse::write && !shared_with_an_input) checks::buffers.back().written.resize(bytes);
}

void forget_buffer(const void* data) {
  for (auto buffer = checks::buffers.rbegin(); buffer != checks::buffers.rend(); ++buffer) {
    if (buffer->data != data) continue;
    checks::buffers.erase(std::next(buffer).base());
    return;
  }
}

__attribute__((noinline)) void trace_access(const void* address, unsigned bytes, unsigned flags) {
  if (!tracing) return;
  Untraced untraced;
  checks::access(address, bytes, flags, __builtin_return_address(0));
}

namespace {

inline void instrumented(const void* address, std::size_t bytes, unsigned flags, const void* pc) {
  if (!tracing) return;
  Untraced untraced;
  checks::access(address, static_cast<unsigned>(bytes), flags, pc);
}

}  // namespace

}  // namespace simt

// ---- the functions that instrumented code calls

#define SIMT_HOOK(name, bytes, flags) \
  extern "C" void name(void* address) { simt::instrumented(address, bytes, flags, __builtin_return_address(0)); }
#define SIMT_HOOKS(bytes)                                                           \
  SIMT_HOOK(__tsan_read##bytes, bytes, simt::kRead)                                 \
  SIMT_HOOK(__tsan_write##bytes, bytes, simt::kWrite)                               \
  SIMT_HOOK(__tsan_unaligned_read##bytes, bytes, simt::kRead | simt::kAnyAlignment) \
  SIMT_HOOK(__tsan_unaligned_write##bytes, bytes, simt::kWrite | simt::kAnyAlignment)
SIMT_HOOKS(1)
SIMT_HOOKS(2)
SIMT_HOOKS(4)
SIMT_HOOKS(8)
SIMT_HOOKS(16)
#undef SIMT_HOOKS
#undef SIMT_HOOK

extern "C" {

void __tsan_read_range(void* address, std::size_t bytes) {
  simt::instrumented(address, bytes, simt::kRead, __builtin_return_address(0));
}
void __tsan_write_range(void* address, std::size_t bytes) {
  simt::instrumented(address, bytes, simt::kWrite, __builtin_return_address(0));
}
void* __tsan_memcpy(void* to, const void* from, std::size_t bytes) {
  simt::instrumented(from, bytes, simt::kRead, __builtin_return_address(0));
  simt::instrumented(to, bytes, simt::kWrite, __builtin_return_address(0));
  return std::memcpy(to, from, bytes);
}
void* __tsan_memmove(void* to, const void* from, std::size_t bytes) {
  simt::instrumented(from, bytes, simt::kRead, __builtin_return_address(0));
  simt::instrumented(to, bytes, simt::kWrite, __builtin_return_address(0));
  return std::memmove(to, from, bytes);
}
void* __tsan_memset(void* to, int value, std::size_t bytes) {
  simt::instrumented(to, bytes, simt::kWrite, __builtin_return_address(0));
  return std::memset(to, value, bytes);
}
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}

}  // extern "C"
