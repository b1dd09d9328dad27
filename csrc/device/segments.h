// One launch over many segments of flat arrays, after one of a single block that counts the steps: the kernels and the
// launcher of every optimizer step.
#pragma once

#include "device/vector.h"
#include "dispatch.h"
#include "segments.h"

// Segment i for this step, its count raised; of length 0, and not counted, where the table says row -1, leaves the flat
// arrays (of `size` elements) or needs a state that was not given.
template <template <class> class Update, int States>
__device__ __forceinline__ SegmentRow next_row(const SegmentTable& table, std::int64_t i, std::int64_t size) {
  SegmentRow row{};
  const std::int64_t offset = table.segments[3 * i], length = table.segments[3 * i + 1];
  const std::int64_t group = table.segments[3 * i + 2];
  if (group < 0 || group >= table.groups || offset < 0 || length < 0 || offset > size || length > size - offset) {
    return row;
  }
  const auto step = std::int64_t(std::uint64_t(table.steps[i]) + 1);  // whatever the table says, it may not overflow
  Update<double>::fill(table.hyperparameters + group * table.columns, double(step), row.numbers);
  const Update<double> update(row.numbers);
#pragma unroll
  for (int k = 0; k < States; k++) {
    if (update.uses(k) && !(table.given >> k & 1)) return row;
  }
  if (update.counts()) table.steps[i] = step;
  row.offset = offset;
  row.length = length;
  return row;
}

// Before a step: counts it and makes the row of each segment. One block, a thread per segment, kSegmentThreads of them
// at a time; `done` blocks of the step go to earlier ones. N: elements in 16 bytes.
template <template <class> class Update, int States>
__global__ void __launch_bounds__(kSegmentThreads)
    prepare_segments_kernel(SegmentTable table, std::int64_t size, std::int64_t N) {
  SHARED_MEMORY(blocks, std::int64_t[kSegmentThreads]);
  const int thread = int(threadIdx.x);
  std::int64_t done = 0;
  for (std::int64_t first = 0; first < table.count; first += kSegmentThreads) {
    const std::int64_t i = first + thread;
    SegmentRow row{};
    if (i < table.count) row = next_row<Update, States>(table, i, size);
    const std::int64_t groups = row.length ? (row.offset + row.length + N - 1) / N - row.offset / N : 0;
    const std::int64_t mine = (groups + kSegmentThreads - 1) / kSegmentThreads;
    blocks[thread] = mine;
    for (int width = 1; width < kSegmentThreads; width *= 2) {  // now blocks[t] is the sum of `width` numbers up to t
      __syncthreads();
      const std::int64_t before = thread >= width ? blocks[thread - width] : 0;
      __syncthreads();
      blocks[thread] += before;
    }
    __syncthreads();
    row.first_block = done + blocks[thread] - mine;
    if (i < table.count) table.rows[i] = row;
    done += blocks[kSegmentThreads - 1];
    __syncthreads();
  }
  if (thread == 0) table.rows[table.count].first_block = done;
}

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
// array, so only the first and the last of a segment can be partial. How many blocks have something to do is known on
// the device alone; the grid is as large as it can be, and blocks beyond leave.
//
// Update<A>: constructed from a segment's numbers; `uses(k)` says whether state k is read and written for this segment,
// `counts()` whether this step is counted, and `(g, p, states)` updates one element. Its `fill` makes the numbers.
//
// One resident block is enough: left to itself ptxas held the double SGD to 40 registers and spilled; it needs 42.
template <class T, int States, template <class> class Update>
__global__ void __launch_bounds__(kSegmentThreads, 1)
    segments_kernel(const SegmentRow* rows, std::int64_t count, const T* grad, T* param, StateArrays<T, States> states,
                    bool aligned) {
  constexpr int N = kVector<T>;
  using A = accumulate_t<T>;
  if (std::int64_t(blockIdx.x) >= rows[count].first_block) return;
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
  constexpr int kStates = sizeof...(States);
  if (table.count == 0) return;
  const std::int64_t vector = 16 / dtype_bytes(grad.dtype);
  // A segment adds at most two partial groups and one partial block to those of its elements.
  const std::int64_t blocks = ceil_div(grad.size, kSegmentThreads * vector) + table.count +
                              ceil_div(table.count, kSegmentThreads);
  if (blocks > 0x7fffffff) throw TooLarge("too many elements for one launch");
  const bool aligned = vector_aligned(grad) && vector_aligned(param) && (vector_aligned(states) && ...);
  const simt::LaunchConfig config{dim3(static_cast<unsigned>(blocks)), dim3(kSegmentThreads), 0, stream};
  simt::launch({dim3(1), dim3(kSegmentThreads), 0, stream}, prepare_segments_kernel<Update, kStates>, table, grad.size,
               vector);
  dispatch_float(grad.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    simt::launch(config, segments_kernel<T, kStates, Update>, table.rows, table.count, grad.as<const T>(),
                 param.as<T>(), StateArrays<T, kStates>{{states.template as<T>()...}}, aligned);
  });
}
