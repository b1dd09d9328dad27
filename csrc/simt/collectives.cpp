// Barriers of a block and meetings of the lanes of a warp.
#include <cstdlib>
#include <cstring>

#include "checks.h"
#include "state.h"

namespace simt {

namespace {

struct Barrier {
  int arrived = 0;
  bool all = true, any = false;
  int count = 0;
  Vote vote = Vote::none;
  const char* what = nullptr;
  Place place{nullptr, 0};
  Thread* waiting[kMaxThreads];
  std::uint16_t threads[kMaxThreads];
};
Barrier barrier;

// A warp may be split into groups that meet separately.
constexpr int kMeetingsPerWarp = 4;
struct Meeting {
  bool open = false;
  bool orders_memory = false;
  unsigned mask = 0, arrived = 0;
  const char* what = nullptr;
  Place place{nullptr, 0};
  Combine combine = nullptr;
  void* arguments[32];
};
struct Warp {
  unsigned gone = 0;  // lanes that have returned from the kernel, or never existed
  Meeting meetings[kMeetingsPerWarp];
};
Warp warps[kMaxWarps];

bool same_place(Place a, Place b) { return a.line == b.line && !std::strcmp(a.file, b.file); }

int barrier_result() {
  switch (barrier.vote) {
    case Vote::count:
      return barrier.count;
    case Vote::all:
      return barrier.all;
    case Vote::any:
      return barrier.any;
    case Vote::none:
      return 0;
  }
  std::abort();
}

void open_barrier() {
  if (block.alive < block.threads) {
    report("divergent barrier", barrier.place, "%d threads returned from the kernel without coming to this %s",
           block.threads - block.alive, barrier.what);
  }
  checks::threads_met(barrier.threads, barrier.arrived);
  checks::warp_met(-1, ~0u);
  const int result = barrier_result();
  for (int i = 0; i < barrier.arrived; i++) {
    barrier.waiting[i]->barrier_result = result;
    if (barrier.waiting[i] != current) make_runnable(barrier.waiting[i]);
  }
  barrier.arrived = 0;
}

// Ends the meeting where all lanes that can come have come.
bool try_to_meet(Warp& warp, int number, Meeting& meeting) {
  if ((meeting.arrived | warp.gone) != (meeting.mask | warp.gone)) return false;
  if (meeting.combine) meeting.combine(meeting.arguments, meeting.arrived);
  std::uint16_t threads[32];
  int count = 0;
  for (int i = 0; i < 32; i++) {
    if (!(meeting.arrived >> i & 1)) continue;
    Thread* thread = &block.thread[number * 32 + i];
    threads[count++] = static_cast<std::uint16_t>(thread->linear);
    if (thread != current) make_runnable(thread);
  }
  if (meeting.orders_memory) checks::threads_met(threads, count);
  checks::warp_met(number, meeting.arrived);
  meeting.open = false;
  return true;
}

Meeting& meeting_for(Warp& warp, unsigned mask, const char* what, Combine combine, bool orders_memory, Place place) {
  for (Meeting& meeting : warp.meetings) {
    if (!meeting.open || !(meeting.mask & mask)) continue;
    if (meeting.mask != mask || meeting.combine != combine || std::strcmp(meeting.what, what)) {
      fault("mismatched warp functions", place,
            "lane %u is in %s of 0x%08x while other lanes wait in %s of 0x%08x at %s:%d", lane, what, mask,
            meeting.what, meeting.mask, meeting.place.file, meeting.place.line);
    }
    if (!same_place(meeting.place, place)) {
      report("divergent warp function", place, "lanes of one warp meet in different calls of %s: here and at %s:%d",
             what, meeting.place.file, meeting.place.line);
    }
    return meeting;
  }
  for (Meeting& meeting : warp.meetings) {
    if (meeting.open) continue;
    meeting = Meeting{};
    meeting.open = true;
    meeting.orders_memory = orders_memory;
    meeting.mask = mask;
    meeting.what = what;
    meeting.place = place;
    meeting.combine = combine;
    return meeting;
  }
  fault("mismatched warp functions", place, "more than %d groups of one warp wait at once", kMeetingsPerWarp);
}

}  // namespace

void collectives_block_begin() {
  barrier.arrived = 0;
  const int count = (block.threads + 31) / 32;
  for (int i = 0; i < count; i++) {
    for (Meeting& meeting : warps[i].meetings) meeting.open = false;
    const int last = block.threads - i * 32;
    warps[i].gone = last < 32 ? ~0u << last : 0;
  }
}

int block_barrier(bool predicate, Vote vote, const char* what, Place place) {
  Untraced untraced;
  if (barrier.arrived == 0) {
    barrier.vote = vote;
    barrier.what = what;
    barrier.place = place;
    barrier.all = true;
    barrier.any = false;
    barrier.count = 0;
  } else if (barrier.vote != vote) {
    fault("divergent barrier", place, "threads of one block meet in %s here and in %s at %s:%d", what, barrier.what,
          barrier.place.file, barrier.place.line);
  } else if (!same_place(barrier.place, place)) {
    report("divergent barrier", place, "threads of one block meet at different barriers: here and at %s:%d",
           barrier.place.file, barrier.place.line);
  }
  barrier.all = barrier.all && predicate;
  barrier.any = barrier.any || predicate;
  barrier.count += predicate;
  barrier.threads[barrier.arrived] = static_cast<std::uint16_t>(current->linear);
  barrier.waiting[barrier.arrived++] = current;
  if (barrier.arrived == block.alive) {
    open_barrier();
    maybe_let_others_run(what, place);
  } else {
    wait_here(what, place);
  }
  return current->barrier_result;
}

void warp_collective(unsigned mask, const char* what, void* argument, Combine combine, bool orders_memory,
                     Place place) {
  Untraced untraced;
  Thread* thread = current;
  Warp& warp = warps[thread->warp];
  if (!(mask >> thread->lane & 1)) {
    fault("mismatched warp functions", place, "lane %u calls %s with the mask 0x%08x, which does not name it",
          thread->lane, what, mask);
  }
  Meeting& meeting = meeting_for(warp, mask, what, combine, orders_memory, place);
  meeting.arrived |= 1u << thread->lane;
  meeting.arguments[thread->lane] = argument;
  if (try_to_meet(warp, static_cast<int>(thread->warp), meeting)) {
    maybe_let_others_run(what, place);
  } else {
    wait_here(what, place);
  }
}

void thread_fence() {
  Untraced untraced;
  checks::fence();
}

void thread_returned(Thread* thread) {
  block.alive--;
  Warp& warp = warps[thread->warp];
  warp.gone |= 1u << thread->lane;
  checks::lane_returned(thread->warp, thread->lane);
  for (Meeting& meeting : warp.meetings) {
    if (meeting.open) try_to_meet(warp, static_cast<int>(thread->warp), meeting);
  }
  if (barrier.arrived && barrier.arrived == block.alive) open_barrier();
}

}  // namespace simt
