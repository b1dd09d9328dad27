// One launch over many segments of flat arrays: the kernel and the launcher of every optimizer step.
#pragma once

#include "device/vector.h"
#include "dispatch.h"
#include "segments.h"

// The last row whose first block is at most `number`; an empty segment shares its first block with the next.
__device__ __forceinline__ const SegmentRow& segment_of_block(const SegmentRow* rows, std::int64_t count,
                                                              std::int64_t number) {
  std::int64_t low = 0, high = count - 1;
  while (low < high) {
    const std::int64_t middle = (low + high + 1) / 2;
    if (rows[middle].first_block <= number) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return rows[low];
}

template <class T, int States>
struct StateArrays {
  T* array[States];  // null where the caller gave none
};

// One block per kSegmentThreads groups of 16 bytes of one segment; groups lie on multiples of 16 bytes of the flat
// array, so only the first and the last of a segment can be partial.
//
// Update<A>: constructed from a segment's numbers; `uses(s)` says whether state s is read and written for this segment,
// and `(g, p, states)` updates one element.
//
// One resident block is enough: left to itself ptxas held the double SGD to 40 registers and spilled; it needs 42.
template <class T, int States, template <class> class Update>
__global__ void __launch_bounds__(kSegmentThreads, 1)
    segments_kernel(const SegmentRow* rows, std::int64_t count, const T* grad, T* param, StateArrays<T, States> states,
                    bool aligned) {
  constexpr int N = kVector<T>;
  using A = accumulate_t<T>;
  const SegmentRow& row = segment_of_block(rows, count, blockIdx.x);
  const std::int64_t begin = row.offset, end = row.offset + row.length;
  const std::int64_t group = (std::int64_t(blockIdx.x) - row.first_block) * kSegmentThreads + threadIdx.x;
  const std::int64_t first = (begin / N + group) * N;
  if (first >= end) return;
  const Update<A> update(row.numbers);
  A g[N], p[N], s[States][N];
  load_group<N>(g, grad, first, begin, end, aligned);
  load_group<N>(p, param, first, begin, end, aligned);
#pragma unroll
  for (int k = 0; k < States; k++) {
    if (update.uses(k)) load_group<N>(s[k], states.array[k], first, begin, end, aligned);
  }
#pragma unroll
  for (int j = 0; j < N; j++) {
    A state[States];
#pragma unroll
    for (int k = 0; k < States; k++) state[k] = s[k][j];
    update(g[j], p[j], state);
#pragma unroll
    for (int k = 0; k < States; k++) s[k][j] = state[k];
  }
  store_group<N>(param, p, first, begin, end, aligned);
#pragma unroll
  for (int k = 0; k < States; k++) {
    if (update.uses(k)) store_group<N>(states.array[k], s[k], first, begin, end, aligned);
  }
}

template <template <class> class Update, class... States>
void launch_segments(const SegmentTable& table, const ArrayView& grad, const ArrayView& param, simt::Stream stream,
                     const States&... states) {
  if (table.blocks == 0) return;
  if (table.blocks > 0x7fffffff) throw std::invalid_argument("too many elements for one launch");
  const bool aligned = vector_aligned(grad) && vector_aligned(param) && (vector_aligned(states) && ...);
  const simt::LaunchConfig config{dim3(static_cast<unsigned>(table.blocks)), dim3(kSegmentThreads), 0, stream};
  dispatch_float(grad.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    constexpr int kStates = sizeof...(States);
    simt::launch(config, segments_kernel<T, kStates, Update>, table.rows, table.count, grad.as<const T>(),
                 param.as<T>(), StateArrays<T, kStates>{{states.template as<T>()...}}, aligned);
  });
}
