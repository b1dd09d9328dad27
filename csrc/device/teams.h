// Threads that work together on a row: some neighbouring lanes of a warp, or a whole block. One code serves both.
#pragma once

#include "device/reduce.h"

struct Minimum {
  template <class V>
  __device__ __forceinline__ V operator()(V a, V b) const {
    return b < a ? b : a;
  }
};

// `size` lanes, a power of two up to 32. Every lane of the warp calls `reduce`, whatever its team has to do.
struct LaneTeam {
  int rank, size;

  __device__ __forceinline__ explicit LaneTeam(int lanes) : rank(int(threadIdx.x) & (lanes - 1)), size(lanes) {}

  template <class V, class Combine>
  __device__ __forceinline__ V reduce(V value, Combine combine) const {
    return team_reduce(value, size, combine);
  }
};

// All threads of a block of whole warps.
struct BlockTeam {
  int rank, size;

  __device__ __forceinline__ BlockTeam() : rank(int(threadIdx.x)), size(int(blockDim.x)) {}

  template <class V, class Combine>
  __device__ __forceinline__ V reduce(V value, Combine combine) const {
    return block_reduce(value, combine);
  }
};

// Lanes that a row of `extent` elements keeps busy, as a power of two up to 32.
inline int lanes_for(std::int64_t extent) {
  int lanes = 1;
  while (lanes < extent && lanes < 32) lanes *= 2;
  return lanes;
}
