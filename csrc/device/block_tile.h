// How a block of kThreads covers a matrix: some neighbouring groups of columns, as many rows as then fit.
#pragma once

#include <algorithm>

#include "dispatch.h"

struct BlockTile {
  int lanes, depth;    // groups of columns side by side, rows below one another; lanes * depth <= kThreads
  std::int64_t tiles;  // side by side, until all groups are covered

  // Of this thread; a row of `depth` or more is one thread too many.
  __device__ __forceinline__ int lane() const { return static_cast<int>(threadIdx.x) % lanes; }
  __device__ __forceinline__ int row() const { return static_cast<int>(threadIdx.x) / lanes; }
};

// Tiles of one width, at most `most` (an even number) groups of columns. Where there are several, each starts at an
// even group: groups of 16 bytes then share no sector of 32.
inline BlockTile block_tile(std::int64_t groups, std::int64_t most) {
  const std::int64_t tiles = ceil_div(groups, most);
  std::int64_t lanes = ceil_div(groups, tiles);
  if (tiles > 1) lanes += lanes % 2;
  return {static_cast<int>(lanes), static_cast<int>(kThreads / lanes), ceil_div(groups, lanes)};
}
