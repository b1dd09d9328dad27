// cp.async: copies that land when their group is waited for, the latest moment that CUDA allows, or, in an eager
// schedule, when they are issued, the earliest. A kernel must be right under both.
#include <cstring>
#include <deque>
#include <vector>

#include "checks.h"
#include "state.h"

namespace simt {

namespace {

struct Copy {
  unsigned char* shared;
  const void* global;
  unsigned bytes, source_bytes;
  const void* pc;
};
using Group = std::vector<Copy>;
struct Queue {
  Group open;
  std::deque<Group> committed;
};
Queue queues[kMaxThreads];

void land(const Copy& copy) {
  checks::copy_landed(copy.shared, copy.bytes);
  if (copy.source_bytes) checks::access(copy.global, copy.source_bytes, kRead | kAsync, copy.pc);
  checks::access(copy.shared, copy.bytes, kWrite | kAsync, copy.pc);
  std::memcpy(copy.shared, copy.global, copy.source_bytes);
  std::memset(copy.shared + copy.source_bytes, 0, copy.bytes - copy.source_bytes);
}

}  // namespace

void async_copies_block_begin() {
  for (int i = 0; i < block.threads; i++) {
    queues[i].open.clear();
    queues[i].committed.clear();
  }
}

bool async_copies_left() {
  for (int i = 0; i < block.threads; i++) {
    if (!queues[i].open.empty()) return true;
    for (const Group& group : queues[i].committed) {
      if (!group.empty()) return true;
    }
  }
  return false;
}

__attribute__((noinline)) void async_copy(void* shared, const void* global, unsigned bytes, unsigned source_bytes,
                                          Place place) {
  Untraced untraced;
  if (source_bytes > bytes) fault("async copy", place, "%u source bytes for a copy of %u", source_bytes, bytes);
  const Copy copy{static_cast<unsigned char*>(shared), global, bytes, source_bytes, __builtin_return_address(0)};
  if (schedule.eager_copies) {
    land(copy);
    return;
  }
  checks::copy_issued(shared, bytes, copy.pc);
  queues[current->linear].open.push_back(copy);
}

void async_copy_commit() {
  Untraced untraced;
  Queue& queue = queues[current->linear];
  queue.committed.push_back(std::move(queue.open));
  queue.open.clear();
}

void async_copy_wait(unsigned groups_left) {
  Untraced untraced;
  Queue& queue = queues[current->linear];
  while (queue.committed.size() > groups_left) {
    for (const Copy& copy : queue.committed.front()) land(copy);
    queue.committed.pop_front();
  }
}

}  // namespace simt
