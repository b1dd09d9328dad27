// One stack per CUDA thread, and the switch between them.
#include <sys/mman.h>

#include <cstdlib>
#include <vector>

#include "state.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#if !defined(__x86_64__)
#error "the CPU executor switches fibers by hand-written code for x86-64"
#endif

namespace simt {

#if defined(__SANITIZE_ADDRESS__)
const std::size_t kStackBytes = 256 * 1024;  // instrumented frames are several times larger
#else
const std::size_t kStackBytes = 64 * 1024;
#endif

namespace {

constexpr std::size_t kPage = 4096;
std::vector<char*> all_stacks, free_stacks;
void* host_stack_pointer;
[[maybe_unused]] const void* host_stack = nullptr;
[[maybe_unused]] std::size_t host_stack_bytes = 0;

// Saves the callee-saved registers and the stack pointer, and takes those of the other side: the only state that a
// function call may not lose.
extern "C" void simt_switch_stacks(void** save, void* to);
asm(R"(.text
.globl simt_switch_stacks
.hidden simt_switch_stacks
.type simt_switch_stacks,@function
simt_switch_stacks:
  push %rbp; push %rbx; push %r12; push %r13; push %r14; push %r15
  mov %rsp,(%rdi); mov %rsi,%rsp
  pop %r15; pop %r14; pop %r13; pop %r12; pop %rbx; pop %rbp
  ret
.size simt_switch_stacks,.-simt_switch_stacks
)");

char* take_stack() {
  if (free_stacks.empty()) {
    void* memory =
        mmap(nullptr, kStackBytes + kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    mprotect(memory, kPage, PROT_NONE);  // an overflow stops here and not in a neighbour's frames
    char* stack = static_cast<char*>(memory) + kPage;
    all_stacks.push_back(stack);
    free_stacks.push_back(stack);
  }
  char* stack = free_stacks.back();
  free_stacks.pop_back();
#if defined(__SANITIZE_ADDRESS__)
  __asan_unpoison_memory_region(stack, kStackBytes);  // frames of an abandoned block never returned
#endif
  return stack;
}

void become(Thread* thread) {
  current = thread;
  if (!thread) return;
  thread_index = thread->index;
  lane = thread->lane;
}

void switch_stacks(void** save, void* to, [[maybe_unused]] Thread* thread, [[maybe_unused]] bool never_back) {
#if defined(__SANITIZE_ADDRESS__)
  void* fake_stack = nullptr;
  __sanitizer_start_switch_fiber(never_back ? nullptr : &fake_stack, thread ? thread->fiber.stack : host_stack,
                                 thread ? kStackBytes : host_stack_bytes);
  simt_switch_stacks(save, to);
  __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
#else
  simt_switch_stacks(save, to);
#endif
}

}  // namespace

void start_fiber(Thread* thread, void (*entry)()) {
  thread->fiber.stack = take_stack();
  // Stacks start at different offsets, or all frames of a block would compete for the same cache sets.
  static unsigned colour;
  const std::size_t offset = 64 + (colour++ % 32) * 192;
  auto top = reinterpret_cast<std::uintptr_t>(thread->fiber.stack + kStackBytes - offset) & ~std::uintptr_t{15};
  auto** slot = reinterpret_cast<void**>(top);
  *--slot = nullptr;  // entry never returns
  *--slot = reinterpret_cast<void*>(entry);
  for (int i = 0; i < 6; i++) *--slot = nullptr;  // the registers that the switch pops
  thread->fiber.stack_pointer = slot;
}

void release_stack(Thread* thread) { free_stacks.push_back(thread->fiber.stack); }

void release_all_stacks() {
  free_stacks = all_stacks;
#if defined(__SANITIZE_ADDRESS__)
  for (char* stack : all_stacks) __asan_unpoison_memory_region(stack, kStackBytes);
#endif
}

bool on_some_stack(const void* address) {
  for (const char* stack : all_stacks) {
    if (address >= stack && address < stack + kStackBytes) return true;
  }
  return false;
}

void switch_to_thread(Fiber* from, Thread* to, bool never_back) {
  become(to);
  switch_stacks(&from->stack_pointer, to->fiber.stack_pointer, to, never_back);
}

void switch_to_host(Fiber* from, bool never_back) {
  become(nullptr);
  switch_stacks(&from->stack_pointer, host_stack_pointer, nullptr, never_back);
}

void switch_from_host(Thread* to) {
  host_stack = nullptr;
  become(to);
  switch_stacks(&host_stack_pointer, to->fiber.stack_pointer, to, false);
}

void entered_fiber() {
#if defined(__SANITIZE_ADDRESS__)
  const void* from = nullptr;
  std::size_t bytes = 0;
  __sanitizer_finish_switch_fiber(nullptr, &from, &bytes);
  if (!host_stack) {  // the first fiber of a block was entered from the host
    host_stack = from;
    host_stack_bytes = bytes;
  }
#endif
}

}  // namespace simt
