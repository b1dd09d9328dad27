// Reductions over the rows of (rows, extent) arrays, each element read from memory once where rows are not huge.
//
// An algorithm is a struct with
//   kInputs                        arrays (rows, extent) that it reads, one or two
//   Record                         what it keeps for a row in shared memory
//   start(records, first, count)   all threads of the block, before: fills the records of rows first, first + 1, ...
//   operator()(record, row, team)  the threads of a team, for one row; the record to keep, of which that of rank 0 is
//   finish(records, first, count)  all threads of the block, after
// and a row has, with c the column, v the inputs there and V their type,
//   each(f)   f(c, v) for this thread's columns
//   map(f)    output[c] = f(c, v) for this thread's columns; after it `each` must not be used
#pragma once

#include "device/teams.h"
#include "device/vector.h"
#include "dispatch.h"

template <class T, int Inputs>
struct RowArrays {
  const T* inputs[Inputs];
  T* output;  // or null
  std::int64_t rows, extent;
  bool aligned;  // all of them to 16 bytes
};

// A row in shared memory, worked on by some lanes.
template <class A, int Inputs>
struct TileRow {
  using V = A;
  A* inputs[Inputs];
  int extent;
  LaneTeam team;

  template <class Function>
  __device__ __forceinline__ void each(const Function& function) const {
    for (int c = team.rank; c < extent; c += team.size) call(function, c);
  }
  // Over the first input: each element is read by the thread that overwrites it.
  template <class Function>
  __device__ __forceinline__ void map(const Function& function) const {
    for (int c = team.rank; c < extent; c += team.size) inputs[0][c] = call(function, c);
  }

 private:
  template <class Function>
  __device__ __forceinline__ auto call(const Function& function, int c) const {
    A values[Inputs];
#pragma unroll
    for (int k = 0; k < Inputs; k++) values[k] = inputs[k][c];
    return function(std::int64_t(c), values);
  }
};

// A block takes `tile_rows` rows, a multiple of 8, through shared memory, so that whole vectors move whatever the
// extent; `lanes` neighbouring lanes take a row. Any extent >= 1 whose tiles fit. Dynamic shared memory: a tile for
// each input, then a record for each row.
template <class T, class Algorithm>
__global__ void __launch_bounds__(kThreads)
    short_rows_kernel(RowArrays<T, Algorithm::kInputs> arrays, int tile_rows, int lanes, Algorithm algorithm) {
  constexpr int N = kVector<T>, kInputs = Algorithm::kInputs;
  using A = accumulate_t<T>;
  using Record = typename Algorithm::Record;
  DYNAMIC_SHARED_MEMORY(memory, unsigned char);
  A* tiles = reinterpret_cast<A*>(memory);
  const int extent = int(arrays.extent), tile_size = tile_rows * extent;
  Record* records = reinterpret_cast<Record*>(tiles + std::int64_t(kInputs) * tile_size);
  const std::int64_t first_row = std::int64_t(blockIdx.x) * tile_rows, left = arrays.rows - first_row;
  const int rows = int(left < tile_rows ? left : tile_rows);
  const std::int64_t begin = first_row * extent, end = begin + std::int64_t(rows) * extent;
  A values[N];
#pragma unroll
  for (int k = 0; k < kInputs; k++) {
    for (int i = int(threadIdx.x) * N; i < rows * extent; i += int(blockDim.x) * N) {
      load_group<N>(values, arrays.inputs[k], begin + i, begin, end, arrays.aligned);
      store_group<N>(tiles + k * tile_size, values, i, 0, tile_size, true);
    }
  }
  algorithm.start(records, first_row, rows);
  __syncthreads();
  const LaneTeam team(lanes);
  const int teams = int(blockDim.x) / lanes, number = int(threadIdx.x) / lanes;
  for (int base = 0; base < rows; base += teams) {  // whole warps, because teams reduce by shuffles
    const bool there = base + number < rows;
    const int mine = there ? base + number : 0;
    TileRow<A, kInputs> row{{}, there ? extent : 0, team};
#pragma unroll
    for (int k = 0; k < kInputs; k++) row.inputs[k] = tiles + k * tile_size + mine * extent;
    const Record record = algorithm(there ? records[mine] : Record{}, row, team);
    __syncwarp();  // all have read it
    if (there && team.rank == 0) records[mine] = record;
  }
  __syncthreads();
  algorithm.finish(records, first_row, rows);
  if (!arrays.output) return;
  for (int i = int(threadIdx.x) * N; i < rows * extent; i += int(blockDim.x) * N) {
    load_group<N>(values, tiles, i, 0, tile_size, true);
    store_group<N>(arrays.output, values, begin + i, begin, end, arrays.aligned);
  }
}

// Elements of each input that a thread keeps: 16 registers of them.
template <class A>
constexpr int kKeptElements = 64 / int(sizeof(A));

// A row in memory, worked on by a block: the first groups of each thread stay in registers, others are read again.
template <class T, int Inputs>
class MemoryRow {
 public:
  using V = accumulate_t<T>;

  __device__ __forceinline__ MemoryRow(const RowArrays<T, Inputs>& arrays, std::int64_t number)
      : arrays_(arrays), begin_(number * arrays.extent), end_(begin_ + arrays.extent) {
#pragma unroll
    for (int k = 0; k < kKept; k++) load(kept_[k], first_of(k));
  }

  template <class Function>
  __device__ __forceinline__ void each(const Function& function) const {
    visit([&](const Group& group, std::int64_t first) {
#pragma unroll
      for (int j = 0; j < N; j++) {
        if (inside(first + j)) call(function, group, first, j);
      }
    });
  }
  template <class Function>
  __device__ __forceinline__ void map(const Function& function) const {
    visit([&](const Group& group, std::int64_t first) {
      V results[N];
#pragma unroll
      for (int j = 0; j < N; j++) results[j] = inside(first + j) ? call(function, group, first, j) : V(0);
      store_group<N>(arrays_.output, results, first, begin_, end_, arrays_.aligned);
    });
  }

 private:
  static constexpr int N = kVector<T>, kKept = kKeptElements<V> / N;
  struct Group {
    V values[Inputs][N];
  };

  __device__ __forceinline__ bool inside(std::int64_t i) const { return i >= begin_ && i < end_; }
  // Groups lie on multiples of 16 bytes of the whole array, so only the first and the last of a row can be partial.
  __device__ __forceinline__ std::int64_t first_of(std::int64_t k) const {
    return (begin_ / N + k * blockDim.x + threadIdx.x) * N;
  }
  __device__ __forceinline__ void load(Group& group, std::int64_t first) const {
#pragma unroll
    for (int k = 0; k < Inputs; k++) {
      load_group<N>(group.values[k], arrays_.inputs[k], first, begin_, end_, arrays_.aligned);
    }
  }
  template <class Function>
  __device__ __forceinline__ void visit(const Function& function) const {
#pragma unroll
    for (int k = 0; k < kKept; k++) {
      if (first_of(k) < end_) function(kept_[k], first_of(k));
    }
    for (std::int64_t k = kKept; first_of(k) < end_; k++) {
      Group group;
      load(group, first_of(k));
      function(group, first_of(k));
    }
  }
  template <class Function>
  __device__ __forceinline__ auto call(const Function& function, const Group& group, std::int64_t first, int j) const {
    V values[Inputs];
#pragma unroll
    for (int k = 0; k < Inputs; k++) values[k] = group.values[k][j];
    return function(first + j - begin_, values);
  }

  const RowArrays<T, Inputs>& arrays_;
  const std::int64_t begin_, end_;
  Group kept_[kKept];
};

// The greatest of the first input, NaN where one is.
template <class Row, class Team>
__device__ __forceinline__ typename Row::V greatest(const Row& row, const Team& team) {
  typename Row::V top = -INFINITY;
  row.each([&](std::int64_t, const auto& v) { top = nan_max(top, v[0]); });
  return team.reduce(top, Maximum{});
}

constexpr int kLongRowThreads = 512;

// One block per row. One resident block is enough: left to itself ptxas held some to 40 registers and spilled.
template <class T, class Algorithm>
__global__ void __launch_bounds__(kLongRowThreads, 1)
    long_rows_kernel(RowArrays<T, Algorithm::kInputs> arrays, Algorithm algorithm) {
  SHARED_MEMORY(records, typename Algorithm::Record[1]);
  const std::int64_t number = blockIdx.x;
  algorithm.start(records, number, 1);
  __syncthreads();
  const MemoryRow<T, Algorithm::kInputs> row(arrays, number);
  const typename Algorithm::Record record = algorithm(records[0], row, BlockTeam());
  __syncthreads();  // all have read it
  if (threadIdx.x == 0) records[0] = record;
  __syncthreads();
  algorithm.finish(records, number, 1);
}

// ---- launchers

// Rows of a tile, by the extent alone: some 2048 elements, where rows are long one for each warp.
inline std::int64_t tile_rows_for(std::int64_t extent) {
  const std::int64_t rows = 2048 / extent / 8 * 8;
  return rows < 8 ? 8 : rows;
}

// Threads for a long row: as many as keep all of it in registers.
inline unsigned threads_for(std::int64_t extent, int kept) {
  unsigned threads = 64;
  while (threads < kLongRowThreads && threads * kept < extent) threads *= 2;
  return threads;
}

template <class T, class Algorithm>
void launch_rows(const RowArrays<T, Algorithm::kInputs>& arrays, const Algorithm& algorithm, simt::Stream stream) {
  using A = accumulate_t<T>;
  if (arrays.rows == 0 || arrays.extent == 0) return;
  const std::int64_t tile_rows = tile_rows_for(arrays.extent);
  const bool is_short = arrays.extent * std::int64_t(sizeof(A)) <= 4096;  // eight rows of two inputs in 64 KB
  const std::int64_t blocks = is_short ? ceil_div(arrays.rows, tile_rows) : arrays.rows;
  if (blocks > 0x7fffffff) {
    throw TooLarge("too many rows for one launch: " + std::to_string(arrays.rows));
  }
  const dim3 grid(static_cast<unsigned>(blocks));
  if (is_short) {
    const std::int64_t row_bytes = Algorithm::kInputs * arrays.extent * std::int64_t(sizeof(A));
    const std::int64_t shared = tile_rows * (row_bytes + std::int64_t(sizeof(typename Algorithm::Record)));
    simt::launch({grid, dim3(kThreads), static_cast<std::size_t>(shared), stream}, short_rows_kernel<T, Algorithm>,
                 arrays, int(tile_rows), lanes_for(arrays.extent), algorithm);
  } else {
    const dim3 threads(threads_for(arrays.extent, kKeptElements<A>));
    simt::launch({grid, threads, 0, stream}, long_rows_kernel<T, Algorithm>, arrays, algorithm);
  }
}
