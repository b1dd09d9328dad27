// Sums over rows, some for each column, in two passes: every block sums its rows, then the blocks' partial sums are
// summed. The order of all additions follows from the shape alone.
//
// What is summed is a struct Terms:
//   using Sum                       float or double
//   static constexpr int kSums      sums of a column
//   static constexpr int kColumns   neighbouring columns of one thread
//   static constexpr int kResident  blocks that shall fit on a multiprocessor, which bounds the registers
//   std::int64_t columns            a multiple of kColumns
//   void add(Sum (&sums)[kSums][kColumns], row, end, step, column) const
//       adds the terms of rows row, row + step, ... below end and of the columns from `column` on
//   std::int64_t place(column, i) const   where sum i of a column goes in a row of results; below 0: nowhere
#pragma once

#include "device/block_tile.h"
#include "device/vector.h"

// A block sums rows [blockIdx.y * rows_per_block, ... + rows_per_block) of one tile of columns into row blockIdx.y of
// `results`, of `pitch` elements. A thread sums every tile.depth-th row of kColumns columns; the threads of a column
// then meet in shared memory, the lower half taking the upper.
template <class Out, class Terms>
__global__ void __launch_bounds__(kThreads, Terms::kResident)
    column_sums_kernel(Out* results, std::int64_t pitch, std::int64_t rows, std::int64_t rows_per_block, BlockTile tile,
                       Terms terms) {
  constexpr int N = Terms::kColumns;
  using A = typename Terms::Sum;
  SHARED_MEMORY(shared, A[N][kThreads + 32 / N]);  // the N sums of a thread lie in banks that no neighbour's lie in
  const int thread = static_cast<int>(threadIdx.x), row = tile.row();
  const std::int64_t first = std::int64_t(blockIdx.x) * tile.lanes * N, column = first + tile.lane() * N;
  const bool works = row < tile.depth && column < terms.columns;
  A sums[Terms::kSums][N] = {};
  if (works) {
    const std::int64_t begin = blockIdx.y * rows_per_block;
    terms.add(sums, begin + row, min(rows, begin + rows_per_block), tile.depth, column);
  }
#pragma unroll
  for (int i = 0; i < Terms::kSums; i++) {
#pragma unroll
    for (int j = 0; j < N; j++) shared[j][thread] = sums[i][j];
    __syncthreads();
    for (int count = tile.depth; count > 1;) {
      const int half = (count + 1) / 2;
      if (row + half < count) {
#pragma unroll
        for (int j = 0; j < N; j++) shared[j][thread] += shared[j][thread + half * tile.lanes];
      }
      __syncthreads();
      count = half;
    }
    // Neighbouring threads write neighbouring columns, whoever summed them.
    const std::int64_t mine = first + thread;
    const std::int64_t place = thread < tile.lanes * N && mine < terms.columns ? terms.place(mine, i) : -1;
    if (place >= 0) results[blockIdx.y * pitch + place] = narrow<Out>(shared[thread % N][thread / N]);
    __syncthreads();
  }
}

// A matrix in memory, `columns` a whole number of vectors; a last row may be cut short by `size`.
template <class T>
struct MatrixTerms {
  using Sum = accumulate_t<T>;
  static constexpr int kSums = 1, kColumns = kVector<T>, kResident = 4;
  const T* x;
  std::int64_t columns, size;
  std::int64_t whole;  // rows that are vectors of 16 bytes from end to end: none where x is not aligned to them
  bool aligned;

  __device__ __forceinline__ void add(Sum (&sums)[1][kColumns], std::int64_t row, std::int64_t end, std::int64_t step,
                                      std::int64_t column) const {
    constexpr int kFlight = 4;  // loads under way at a time
    Sum values[kFlight][kColumns];
    for (; row + (kFlight - 1) * step < min(end, whole); row += kFlight * step) {
#pragma unroll
      for (int u = 0; u < kFlight; u++) {
        const std::int64_t first = (row + u * step) * columns + column;
        load_group<kColumns>(values[u], x, first, first, first + kColumns, true);
      }
#pragma unroll
      for (int u = 0; u < kFlight; u++) take(sums[0], values[u]);
    }
    for (; row < end; row += step) {
      load_group<kColumns>(values[0], x, row * columns + column, 0, size, aligned);
      take(sums[0], values[0]);
    }
  }
  __device__ __forceinline__ std::int64_t place(std::int64_t column, int) const { return column; }

 private:
  static __device__ __forceinline__ void take(Sum (&sums)[kColumns], const Sum (&values)[kColumns]) {
#pragma unroll
    for (int j = 0; j < kColumns; j++) sums[j] += values[j];
  }
};

// Partial sums in memory.
template <class A>
struct PartialTerms {
  using Sum = A;
  static constexpr int kSums = 1, kColumns = 1, kResident = 4;
  const A* partials;
  std::int64_t columns;

  __device__ __forceinline__ void add(A (&sums)[1][1], std::int64_t row, std::int64_t end, std::int64_t step,
                                      std::int64_t column) const {
#pragma unroll 8
    for (; row < end; row += step) sums[0][0] += partials[row * columns + column];
  }
  __device__ __forceinline__ std::int64_t place(std::int64_t column, int) const { return column; }
};

// The cut of the first pass. `blocks` of rows, each a row of partial sums.
struct ColumnSumsPlan {
  BlockTile tile;
  std::int64_t blocks, rows_per_block;
};

// Blocks are at most about 512, which fill a GPU and leave little to the second pass; and 16 rows of a thread at least.
inline ColumnSumsPlan column_sums_plan(std::int64_t rows, std::int64_t groups) {
  const BlockTile tile = block_tile(groups, 32);
  const std::int64_t most = std::max<std::int64_t>(1, 512 / tile.tiles);
  const std::int64_t rows_per_block = std::max(ceil_div(rows, most), std::int64_t(tile.depth) * 16);
  return {tile, ceil_div(rows, rows_per_block), rows_per_block};
}

template <class Out, class Terms>
void launch_column_sums_pass(const Terms& terms, std::int64_t rows, const ColumnSumsPlan& plan, std::int64_t pitch,
                             Out* results, simt::Stream stream) {
  if (plan.tile.tiles > 0x7fffffff)
    throw TooLarge("too many columns for one launch: " + std::to_string(terms.columns));
  const dim3 grid(static_cast<unsigned>(plan.tile.tiles), static_cast<unsigned>(plan.blocks));
  simt::launch({grid, dim3(kThreads), 0, stream}, column_sums_kernel<Out, Terms>, results, pitch, rows,
               plan.rows_per_block, plan.tile, terms);
}

// Both passes: the sums of `terms` over `rows`, planned by column_sums_plan(rows, terms.columns / kColumns), into
// `partials` of plan.blocks rows of `pitch` each; then all of these, as a matrix of rows of `columns`, summed into y
// (columns,).
template <class T, class Terms>
void launch_column_sums(const Terms& terms, std::int64_t rows, const ColumnSumsPlan& plan, std::int64_t pitch,
                        void* partials, T* y, std::int64_t columns, simt::Stream stream) {
  using A = typename Terms::Sum;
  A* results = static_cast<A*>(partials);
  if (plan.blocks) launch_column_sums_pass(terms, rows, plan, pitch, results, stream);
  // Tiles of one sector of y: many threads share the rows of a column, for what counts here is how few loads follow one
  // another.
  const std::int64_t partial_rows = plan.blocks * (pitch / columns);
  const ColumnSumsPlan last{block_tile(columns, 32 / sizeof(T)), 1, partial_rows};
  launch_column_sums_pass(PartialTerms<A>{results, columns}, partial_rows, last, columns, y, stream);
}
