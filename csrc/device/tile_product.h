// A tile of a matrix product: from two loaders through shared memory to sums in registers.
//
//   sums[row][column] = sum over depth of rows[depth][row] * columns[depth][column]
//
// A block of 128 threads makes 64 x 64 sums and goes 16 steps of depth at a time. While it multiplies one pair of tiles
// it has the next pair on the way from global memory. A loader is a struct with
//   using Layout = AlongDepth<T> or AcrossDepth<T>;      // how its groups of 16 bytes lie in the tile
//   __device__ void load(Groups<T>& groups, int steps);  // the thread's groups of the next 16 steps, of which `steps`
//                                                        // exist; 0 beyond the operand
#pragma once

#include <type_traits>

#include "device/vector.h"
#include "dispatch.h"

constexpr int kTileExtent = 64;
constexpr int kTileDepth = 16;
constexpr int kTileThreads = 128;
constexpr int kRowsOfThread = 8;  // of the sums
constexpr int kColumnsOfThread = 4;

// Blocks of a multiprocessor, for __launch_bounds__: as many as the registers of the sums let stay.
template <class T>
constexpr int kTileBlocks = sizeof(accumulate_t<T>) == sizeof(double) ? 2 : 4;

// Which tile of which of several products is whose block's: columns innermost, so that blocks that run at the same time
// read the same rows, then rows, then products.
struct TileGrid {
  unsigned rows, columns;  // in tiles

  __device__ __forceinline__ std::int64_t first_column() const {
    return std::int64_t(blockIdx.x % columns) * kTileExtent;
  }
  __device__ __forceinline__ std::int64_t first_row() const {
    return std::int64_t(blockIdx.x / columns % rows) * kTileExtent;
  }
  __device__ __forceinline__ unsigned product() const { return blockIdx.x / columns / rows; }
};

// The grid of `products` products of rows x columns sums, each 1 or more; refused where CUDA has no such grid.
inline TileGrid tile_grid(std::int64_t rows, std::int64_t columns, std::int64_t products) {
  const double blocks = double(ceil_div(rows, kTileExtent)) * double(ceil_div(columns, kTileExtent)) * double(products);
  if (blocks > 0x7fffffff) throw TooLarge("too many tiles for one launch");
  return {unsigned(ceil_div(rows, kTileExtent)), unsigned(ceil_div(columns, kTileExtent))};
}
inline simt::LaunchConfig tile_launch(const TileGrid& grid, std::int64_t products, simt::Stream stream) {
  return {dim3(unsigned(grid.rows * grid.columns * products)), dim3(kTileThreads), 0, stream};
}

// What a thread moves of one tile, as it comes from global memory: it is widened on its way into shared memory, because
// a conversion at once would wait for the load.
template <class T>
struct Groups {
  static constexpr int kCount = kTileExtent * kTileDepth / kVector<T> / kTileThreads;
  T values[kCount][kVector<T>];
};

template <class T>
__device__ __forceinline__ void load_vector(T (&values)[kVector<T>], const T* memory, bool inside) {
  const uint4 raw = inside ? *reinterpret_cast<const uint4*>(memory) : make_uint4(0, 0, 0, 0);
  memcpy(values, &raw, sizeof raw);
}

template <class A>
using OperandTile = A[kTileDepth][kTileExtent];

template <class A>
struct alignas(16) TileMemory {
  OperandTile<A> rows[2], columns[2];
};

// A group holds consecutive depths of one row (or column). Writing it turns it by 90 degrees, so a step's rows are
// permuted by a multiple of the rows that threads write at once, another for each group of a row: then neither these
// writes nor the reads of 16 bytes of consecutive rows meet in a bank.
template <class T>
struct AlongDepth {
  static constexpr int kGroupsOfRow = kTileDepth / kVector<T>;
  static __device__ __forceinline__ int depth() { return int(threadIdx.x) % kGroupsOfRow * kVector<T>; }
  static __device__ __forceinline__ int place(int group) {
    return int(threadIdx.x) / kGroupsOfRow + group * (kTileThreads / kGroupsOfRow);
  }
  static __device__ __forceinline__ int permuted(int place, int depth) {
    constexpr int kElementsOfTurn = 128 / int(sizeof(accumulate_t<T>));  // that shared memory gives at once
    constexpr int kStep = kElementsOfTurn / kGroupsOfRow;
    return place ^ (depth / kVector<T> * kStep);
  }
  static __device__ __forceinline__ void store(OperandTile<accumulate_t<T>>& tile, const Groups<T>& groups) {
#pragma unroll
    for (int i = 0; i < Groups<T>::kCount; i++) {
#pragma unroll
      for (int j = 0; j < kVector<T>; j++) tile[depth() + j][permuted(place(i), depth())] = widen(groups.values[i][j]);
    }
  }
};

// A group holds consecutive columns (or rows) of one depth.
template <class T>
struct AcrossDepth {
  static constexpr int kGroupsOfDepth = kTileExtent / kVector<T>;
  static __device__ __forceinline__ int depth(int group) {
    return int(threadIdx.x) / kGroupsOfDepth + group * (kTileThreads / kGroupsOfDepth);
  }
  static __device__ __forceinline__ int place() { return int(threadIdx.x) % kGroupsOfDepth * kVector<T>; }
  static __device__ __forceinline__ int permuted(int place, int) { return place; }
  static __device__ __forceinline__ void store(OperandTile<accumulate_t<T>>& tile, const Groups<T>& groups) {
#pragma unroll
    for (int i = 0; i < Groups<T>::kCount; i++) store_wide(&tile[depth(i)][place()], groups.values[i]);
  }

 private:
  // Eight half-precision numbers become two vectors. Every other four threads write the second one first: side by side
  // they would meet in the banks.
  static __device__ __forceinline__ void store_wide(accumulate_t<T>* memory, const T (&values)[kVector<T>]) {
    accumulate_t<T> wide[kVector<T>];
#pragma unroll
    for (int j = 0; j < kVector<T>; j++) wide[j] = widen(values[j]);
    constexpr int kCount = kVector<T> / kVector<accumulate_t<T>>;
    uint4 raw[kCount];
    memcpy(raw, wide, sizeof raw);
    auto* vectors = reinterpret_cast<uint4*>(memory);
    if constexpr (kCount == 1) {
      vectors[0] = raw[0];
    } else {
      const int first = threadIdx.x / 4 % 2;
      vectors[first] = first ? raw[1] : raw[0];
      vectors[1 - first] = first ? raw[0] : raw[1];
    }
  }
};

// Which sums are the thread's: runs of 16 bytes, so that the 32 threads of a warp read 4 runs of rows and 8 of columns,
// each without a gap.
template <class A>
struct ThreadTile {
  static constexpr int kRun = 16 / int(sizeof(A));

  static __device__ __forceinline__ int row(int i) {
    const int thread = int(threadIdx.x) / 64 * 4 + int(threadIdx.x) % 32 / 8;
    return i / kRun * (kTileExtent / kRowsOfThread * kRun) + thread * kRun + i % kRun;
  }
  static __device__ __forceinline__ int column(int j) {
    const int thread = int(threadIdx.x) % 64 / 32 * 8 + int(threadIdx.x) % 8;
    return j / kRun * (kTileExtent / kColumnsOfThread * kRun) + thread * kRun + j % kRun;
  }

  A sums[kRowsOfThread][kColumnsOfThread] = {};

  template <class RowLayout, class ColumnLayout>
  __device__ __forceinline__ void add_product(const OperandTile<A>& rows, const OperandTile<A>& columns) {
#pragma unroll
    for (int depth = 0; depth < kTileDepth; depth++) {
      A left[kRowsOfThread], right[kColumnsOfThread];
#pragma unroll
      for (int i = 0; i < kRowsOfThread; i += kRun) read(left + i, &rows[depth][RowLayout::permuted(row(i), depth)]);
#pragma unroll
      for (int j = 0; j < kColumnsOfThread; j += kRun) {
        read(right + j, &columns[depth][ColumnLayout::permuted(column(j), depth)]);
      }
#pragma unroll
      for (int i = 0; i < kRowsOfThread; i++) {
#pragma unroll
        for (int j = 0; j < kColumnsOfThread; j++) sums[i][j] = fma(left[i], right[j], sums[i][j]);
      }
    }
  }

 private:
  static __device__ __forceinline__ void read(A* run, const A* memory) {
    const uint4 raw = *reinterpret_cast<const uint4*>(memory);
    memcpy(run, &raw, sizeof raw);
  }
};

// The sums over `depth` steps. Every thread of the block calls it, with the same depth.
template <class T, class Rows, class Columns>
__device__ __forceinline__ void multiply_tiles(ThreadTile<accumulate_t<T>>& result, Rows& rows, Columns& columns,
                                               std::int64_t depth) {
  using A = accumulate_t<T>;
  using RowLayout = typename Rows::Layout;
  using ColumnLayout = typename Columns::Layout;
  SHARED_MEMORY(tiles, TileMemory<A>);
  if (depth == 0) return;
  const auto steps = [](std::int64_t left) { return int(min(left, std::int64_t(kTileDepth))); };
  Groups<T> next_rows, next_columns;
  rows.load(next_rows, steps(depth));
  columns.load(next_columns, steps(depth));
  RowLayout::store(tiles.rows[0], next_rows);
  ColumnLayout::store(tiles.columns[0], next_columns);
  __syncthreads();
  int now = 0;
  for (std::int64_t left = depth - kTileDepth; left > -kTileDepth; left -= kTileDepth) {
    const bool more = left > 0;
    if (more) {
      rows.load(next_rows, steps(left));
      columns.load(next_columns, steps(left));
    }
    result.template add_product<RowLayout, ColumnLayout>(tiles.rows[now], tiles.columns[now]);
    now ^= 1;
    if (more) {
      RowLayout::store(tiles.rows[now], next_rows);
      ColumnLayout::store(tiles.columns[now], next_columns);
    }
    __syncthreads();
  }
}

// Writes row i of the thread's sums, plus bias where there is one, to `row`, of which the tile begins at `first` and
// `columns` exist. `runs`: they go in runs, for which the row must be aligned and `columns` a multiple.
template <class T, class A>
__device__ __forceinline__ void store_sums(T* row, const ThreadTile<A>& tile, int i, std::int64_t first,
                                           std::int64_t columns, const A (&bias)[kColumnsOfThread], bool runs) {
  constexpr int kRun = ThreadTile<A>::kRun;
#pragma unroll
  for (int start = 0; start < kColumnsOfThread; start += kRun) {
    const std::int64_t column = first + ThreadTile<A>::column(start);
    T values[kRun];
#pragma unroll
    for (int j = 0; j < kRun; j++) values[j] = narrow<T>(tile.sums[i][start + j] + bias[start + j]);
    if (runs && column < columns) {
      using Run = std::conditional_t<sizeof values == 16, uint4, uint2>;
      Run raw;
      memcpy(&raw, values, sizeof raw);
      *reinterpret_cast<Run*>(row + column) = raw;
      continue;
    }
#pragma unroll
    for (int j = 0; j < kRun; j++) {
      if (column + j < columns) row[column + j] = values[j];
    }
  }
}

// Whether rows of `array` that begin at multiples of `columns` elements can be written in runs.
template <class T>
bool writes_runs(const void* array, std::int64_t columns) {
  constexpr int kRun = ThreadTile<accumulate_t<T>>::kRun;
  return columns % kRun == 0 && reinterpret_cast<std::uintptr_t>(array) % (kRun * sizeof(T)) == 0;
}

// The thread's part of `bias`, 0 where there is none.
template <class T, class A>
__device__ __forceinline__ void load_bias(A (&values)[kColumnsOfThread], const T* bias, std::int64_t first,
                                          std::int64_t columns) {
#pragma unroll
  for (int j = 0; j < kColumnsOfThread; j++) {
    const std::int64_t column = first + ThreadTile<A>::column(j);
    values[j] = bias != nullptr && column < columns ? widen(bias[column]) : A(0);
  }
}
