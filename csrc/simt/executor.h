// What kernels compiled by g++ call: the running thread, launches, shared memory, collectives, explicit accesses.
// The vocabulary of CUDA (vocabulary.h) is written on top of it; the machinery is in this folder's .cpp files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <tuple>
#include <utility>

#include "stream.h"
#include "types.h"

namespace simt {

// A source line as the kernel's author sees it. As a default argument it is the place of the call.
struct Place {
  const char* file;
  int line;
  static constexpr Place here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) { return {file, line}; }
};

struct Thread;  // one CUDA thread: a fiber and where it stands (state.h)

extern Thread* current;     // the thread that runs, null outside a kernel
extern uint3 thread_index;  // its threadIdx
extern std::uint32_t lane;  // its place in its warp
extern uint3 block_index;
extern dim3 block_extent, grid_extent;
extern bool tracing;  // whether instrumented accesses count: in a kernel, and not inside the executor

// Where it is inlined into a kernel, the compiler sees nobody who reads `tracing` between the two writes, because calls
// into the instrumentation are inserted last; the empty statements keep both.
class Untraced {
 public:
  Untraced() : before_(tracing) {
    tracing = false;
    asm volatile("" ::: "memory");
  }
  ~Untraced() {
    asm volatile("" ::: "memory");
    tracing = before_;
  }
  Untraced(const Untraced&) = delete;
  Untraced& operator=(const Untraced&) = delete;

 private:
  bool before_;
};

// ---- launches

struct LaunchConfig {
  dim3 grid;
  dim3 block;
  std::size_t shared_bytes = 0;
  Stream stream = nullptr;
};

struct KernelCall {
  void (*run)(void* context);
  void* context;
  std::size_t context_bytes;
  const void* kernel;  // its address, from which a finding gets its name
};

// Runs every block to its end. A fault ends the grid and is kept for `last_error`, as an asynchronous launch would.
void run_grid(const LaunchConfig& config, const KernelCall& call);

// What the last failed launch said, empty where none failed; reading clears it.
const char* last_error();

template <class... Parameters, class... Arguments>
void launch(const LaunchConfig& config, void (*kernel)(Parameters...), Arguments&&... arguments) {
  struct Context {
    void (*kernel)(Parameters...);
    std::tuple<Parameters...> arguments;
  } context{kernel, std::tuple<Parameters...>(static_cast<Parameters>(std::forward<Arguments>(arguments))...)};
  auto run = [](void* raw) {
    auto* context = static_cast<Context*>(raw);
    std::apply(context->kernel, context->arguments);
  };
  run_grid(config, {run, &context, sizeof context, reinterpret_cast<const void*>(kernel)});
}

// ---- memory that kernels may touch

enum class BufferUse { read, write, update };  // write: what it held before counts as unwritten

void register_buffer(const void* data, std::size_t bytes, const char* name, BufferUse use);
void forget_buffer(const void* data);

// ---- shared memory

struct SharedVariable {
  std::uint64_t block = 0;  // serial number of the block for which `data` holds
  void* data = nullptr;
};
void* shared_variable(SharedVariable& variable, std::size_t bytes, std::size_t alignment, const char* name);
void* dynamic_shared_memory();

// ---- collectives

enum class Vote { none, count, all, any };
int block_barrier(bool predicate, Vote vote, const char* what, Place place);

// The lanes of `mask` meet; the last to come calls `combine` with the argument of each lane. Only where `orders_memory`
// does what was written before become visible after: a shuffle exchanges registers and orders nothing.
using Combine = void (*)(void* const* arguments, unsigned mask);
void warp_collective(unsigned mask, const char* what, void* argument, Combine combine, bool orders_memory, Place place);

void thread_fence();

// ---- asynchronous copies to shared memory

void async_copy(void* shared, const void* global, unsigned bytes, unsigned source_bytes, Place place);
void async_copy_commit();
void async_copy_wait(unsigned groups_left);

// ---- accesses that carry no instrumentation of the compiler's

// kLaunch: no access, but a place of the kernel all the same.
enum AccessFlags : unsigned { kRead = 0, kWrite = 1, kAtomic = 2, kAsync = 4, kAnyAlignment = 8, kLaunch = 16 };
void trace_access(const void* address, unsigned bytes, unsigned flags);

// A finding that does not end the kernel.
void report(const char* kind, Place place, const char* format, ...) __attribute__((format(printf, 3, 4)));

}  // namespace simt
