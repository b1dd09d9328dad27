// One launch over many segments of flat arrays: the kernel and the launcher of every optimizer step.
#pragma once

#include "device/group.h"
#include "device/reduce.h"
#include "dispatch.h"
#include "segments.h"

constexpr int kSegmentThreads = 256;  // of a block, whose chunk of the flat arrays is a group of 16 bytes for each

// Segments of a chunk that are looked at together, by the lanes of a warp. In a flat store, where each begins on a
// multiple of 256 bytes, that is all of them.
constexpr int kSegmentsTogether = 32;

struct Segment {
  std::int64_t begin, end;
  const double* hyperparameters;  // null, and the segment empty, where it is left alone
  unsigned states;                // bit k: state k is read and written
};

// Segment i; left alone where the table says row -1, leaves the flat arrays (of `size` elements) or needs a state that
// was not given.
template <class Rule>
__device__ __forceinline__ Segment segment_at(const SegmentTable& table, std::int64_t i, std::int64_t size) {
  const std::int64_t offset = table.segments[3 * i], length = table.segments[3 * i + 1];
  const std::int64_t group = table.segments[3 * i + 2];
  if (group < 0 || group >= table.groups || offset < 0 || length < 0 || offset > size || length > size - offset) {
    return {};
  }
  const double* hyperparameters = table.hyperparameters + group * table.columns;
  const unsigned states = Rule::states(hyperparameters);
  if (states & ~table.given) return {};
  return {offset, offset + length, hyperparameters, states};
}

// The last segment that begins at `element` or before, 0 where none does; for a whole warp. Of a table that is out of
// order it is some segment.
__device__ __forceinline__ std::int64_t segment_before(const SegmentTable& table, std::int64_t element) {
  std::int64_t low = 0, count = table.count;  // it is one of these
  while (count > 1) {
    const std::int64_t stride = (count + 31) / 32, i = stride * (threadIdx.x % 32);
    const bool begins = i < count && table.segments[3 * (low + i)] <= element;
    const int found = __popc(__ballot_sync(kWholeWarp, begins));
    const std::int64_t skipped = found > 1 ? stride * (found - 1) : 0;
    low += skipped;
    count = stride < count - skipped ? stride : count - skipped;
  }
  return low;
}

// The first of segments [k, count) that has elements in [first, last), `count` where none has.
__device__ __forceinline__ int next_segment(const Segment* segments, int k, int count, std::int64_t first,
                                            std::int64_t last) {
  while (k < count && segments[k].end <= first) k++;
  return k < count && segments[k].begin < last ? k : count;
}

__device__ __forceinline__ std::int64_t next_step(const SegmentTable& table, std::int64_t i) {
  return std::int64_t(std::uint64_t(table.steps[i]) + 1);  // whatever the table says, it may not overflow
}

template <class Rule>
__device__ __forceinline__ void count_step(const SegmentTable& table, std::int64_t size) {
  for (std::int64_t i = threadIdx.x; i < table.count; i += kSegmentThreads) {
    const Segment segment = segment_at<Rule>(table, i, size);
    if (segment.hyperparameters && Rule::counts(segment.hyperparameters)) table.steps[i] = next_step(table, i);
  }
}

template <class T, int States>
struct StepArrays {
  const T* grad;
  T* param;
  T* state[States];  // null where the caller gave none
  bool aligned;
};

// A thread's group of every array.
template <class T, int States>
struct StepGroup {
  static constexpr int N = kVector<T>;
  using A = accumulate_t<T>;
  Group<T> grad, param, state[States];

  __device__ __forceinline__ void load(const StepArrays<T, States>& arrays, std::int64_t first, const Segment& in) {
    grad.load(arrays.grad, first, in.begin, in.end, arrays.aligned);
    param.load(arrays.param, first, in.begin, in.end, arrays.aligned);
#pragma unroll
    for (int k = 0; k < States; k++) {
      if (in.states >> k & 1) state[k].load(arrays.state[k], first, in.begin, in.end, arrays.aligned);
    }
  }

  template <class Rule>
  __device__ __forceinline__ void update(const Rule& rule) {
    T g[N], p[N], s[States][N];
    memcpy(g, &grad.bits, sizeof g);
    memcpy(p, &param.bits, sizeof p);
    memcpy(s, state, sizeof s);
#pragma unroll
    for (int j = 0; j < N; j++) {
      A moved = widen(p[j]), states[States];
#pragma unroll
      for (int k = 0; k < States; k++) states[k] = widen(s[k][j]);
      rule(widen(g[j]), moved, states);
      p[j] = narrow<T>(moved);
#pragma unroll
      for (int k = 0; k < States; k++) s[k][j] = narrow<T>(states[k]);
    }
    memcpy(&param.bits, p, sizeof p);
    memcpy(state, s, sizeof s);
  }

  __device__ __forceinline__ void store(const StepArrays<T, States>& arrays, std::int64_t first,
                                        const Segment& in) const {
    param.store(arrays.param, first, in.begin, in.end, arrays.aligned);
#pragma unroll
    for (int k = 0; k < States; k++) {
      if (in.states >> k & 1) state[k].store(arrays.state[k], first, in.begin, in.end, arrays.aligned);
    }
  }
};

// A group of 16 bytes of the flat arrays per thread, whichever segments it lies in; groups lie on multiples of 16 bytes
// of the arrays. The numbers of a segment, which may take a `pow`, are made by a thread of the first warp while the
// loads of the others are on their way; it loads after, as groups held beside a `pow` cost Adam 90 registers, not 64.
//
// Every block reads the counts of its segments, so the last to have done so raises them. The ticket tells which that
// is. It is drawn early, because its answer takes as long as a load.
//
// Update<A>: `states(h)` are the states that hyperparameters h need, as bits, `counts(h)` whether a step is counted,
// Update(h, step) makes the numbers, `(g, p, states)` updates one element.
template <class T, int States, template <class> class Update>
__global__ void __launch_bounds__(kSegmentThreads)
    segments_kernel(SegmentTable table, StepArrays<T, States> arrays, std::int64_t size) {
  constexpr int N = kVector<T>;
  using Rule = Update<accumulate_t<T>>;
  SHARED_MEMORY(segments, Segment[kSegmentsTogether]);
  SHARED_MEMORY(rules, Rule[kSegmentsTogether]);
  SHARED_MEMORY(is_last, bool);
  const int thread = int(threadIdx.x);
  const bool looks = thread < kSegmentsTogether;
  const std::int64_t chunk = std::int64_t(blockIdx.x) * kSegmentThreads * N, chunk_end = chunk + kSegmentThreads * N;
  const std::int64_t first = chunk + thread * N;
  std::int64_t i = looks ? segment_before(table, chunk) + thread : 0;
  bool more = false;
  do {
    if (more) __syncthreads();
    const bool begins = looks && i < table.count && table.segments[3 * i] < chunk_end;
    Segment mine{};
    double step = 0;
    if (begins) {
      mine = segment_at<Rule>(table, i, size);
      step = double(next_step(table, i));
    }
    if (looks) segments[thread] = mine;
    const int count = __syncthreads_count(begins);
    more = count == kSegmentsTogether;
    const bool draws = thread == 0 && !more;
    unsigned drawn = 0;
    if (draws) {
      __threadfence();
      drawn = atomicInc(table.ticket, gridDim.x - 1);
    }
    if (mine.hyperparameters) rules[thread] = Rule(mine.hyperparameters, step);
    if (draws) {
      is_last = drawn == gridDim.x - 1;
      if (is_last) __threadfence();
    }
    StepGroup<T, States> group{};
    int k = next_segment(segments, 0, count, first, first + N);
    if (k < count) group.load(arrays, first, segments[k]);
    __syncthreads();
    while (k < count) {
      group.update(rules[k]);
      group.store(arrays, first, segments[k]);
      k = next_segment(segments, k + 1, count, first, first + N);
      if (k < count) group.load(arrays, first, segments[k]);
    }
    i += kSegmentsTogether;
  } while (more);
  if (is_last) count_step<Rule>(table, size);
}

template <template <class> class Update, class... States>
void launch_segments(const SegmentTable& table, const ArrayView& grad, const ArrayView& param, simt::Stream stream,
                     const States&... states) {
  constexpr int kStates = sizeof...(States);
  if (table.count == 0) return;
  const std::int64_t groups = ceil_div(grad.size, 16 / dtype_bytes(grad.dtype));
  const std::int64_t blocks = std::max<std::int64_t>(ceil_div(groups, kSegmentThreads), 1);  // one counts, at least
  if (blocks > 0x7fffffff) throw TooLarge("too many elements for one launch");
  const bool aligned = vector_aligned(grad) && vector_aligned(param) && (vector_aligned(states) && ...);
  const simt::LaunchConfig config{dim3(static_cast<unsigned>(blocks)), dim3(kSegmentThreads), 0, stream};
  dispatch_float(grad.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const StepArrays<T, kStates> arrays{grad.as<const T>(), param.as<T>(), {states.template as<T>()...}, aligned};
    simt::launch(config, segments_kernel<T, kStates, Update>, table, arrays, grad.size);
  });
}
