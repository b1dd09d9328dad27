// What the executor's own files share: threads of the running block, the queue of runnable ones, faults.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "executor.h"

namespace simt {

constexpr int kMaxThreads = 1024;
constexpr int kMaxWarps = kMaxThreads / 32;

struct Fiber {
  void* stack_pointer = nullptr;  // while it does not run
  char* stack = nullptr;          // lowest address
};

struct Thread {
  uint3 index;
  std::uint32_t linear, lane, warp;
  Fiber fiber;
  bool waiting;
  // Where it waits, for the report of a deadlock.
  const char* waits_in;
  Place waits_at;
  int barrier_result;
};

struct Block {
  int threads = 0;  // of one block
  int alive = 0;    // that have not returned from the kernel
  std::uint64_t serial = 0;
  std::size_t dynamic_shared_bytes = 0;  // that the launch asked for
  Thread thread[kMaxThreads];
};
extern Block block;
extern KernelCall kernel_call;

// ---- schedule (scheduler.cpp)

enum class Order { forward, reverse, random };
struct Schedule {
  Order order = Order::forward;
  std::uint64_t seed = 0;
  bool eager_copies = false;  // asynchronous copies land when issued, not when waited for
};
extern Schedule schedule;

std::uint32_t random_below(std::uint32_t bound);
void make_runnable(Thread* thread);
// Run others until somebody makes this thread runnable. The caller has said to whom.
void wait_here(const char* what, Place place);
// In a random schedule a thread that could go on may be overtaken here.
void maybe_let_others_run(const char* what, Place place);

// ---- fibers (fibers.cpp)

extern const std::size_t kStackBytes;
void start_fiber(Thread* thread, void (*entry)());
void release_stack(Thread* thread);
void release_all_stacks();
bool on_some_stack(const void* address);
void switch_to_thread(Fiber* from, Thread* to, bool never_back);
void switch_to_host(Fiber* from, bool never_back);
void switch_from_host(Thread* to);
void entered_fiber();

// ---- events of the kernel's life that other parts handle

void thread_returned(Thread* thread);  // collectives.cpp
void collectives_block_begin();
void shared_memory_block_begin(std::size_t dynamic_bytes);
void async_copies_block_begin();
bool async_copies_left();

// ---- findings (findings.cpp)

struct Access {
  const void* pc = nullptr;
  unsigned flags = 0;
  std::uint32_t thread = 0;
  std::uint64_t block = 0;  // linear index in the grid
};

struct Finding {
  std::string kind, message;
  Place place{nullptr, 0};  // of a collective; accesses carry their own
  Access first, second;     // the earlier access, and the one that was found; pc null where there is none
  std::string location;     // what memory, in words
};
void add_finding(const Finding& finding);

// Ends the grid: the finding becomes the launch's error. Never returns.
[[noreturn]] void fault(const Finding& finding);
[[noreturn]] void fault(const char* kind, Place place, const char* format, ...) __attribute__((format(printf, 3, 4)));
[[noreturn]] void abandon_grid(const std::string& message);  // scheduler.cpp
void set_error(const std::string& message);

Access access_here(const void* pc, unsigned flags);
std::uint64_t linear_block();

}  // namespace simt
