// Threads that reduce together: some neighbouring lanes of a warp, or a whole block. One code serves both.
#pragma once

#include "device/numbers.h"

// What `reduce` folds with; of two equal values either is taken.
struct Add {
  template <class V>
  __device__ __forceinline__ V operator()(V a, V b) const {
    return a + b;
  }
};
struct NanMax {
  template <class V>
  __device__ __forceinline__ V operator()(V a, V b) const {
    return nan_max(a, b);
  }
};
struct Lower {
  template <class V>
  __device__ __forceinline__ V operator()(V a, V b) const {
    return b < a ? b : a;
  }
};

// `size` lanes, a power of two up to 32. Every lane of the warp calls `reduce`, whatever its team has to do.
struct LaneTeam {
  int rank, size;

  __device__ __forceinline__ explicit LaneTeam(int lanes) : rank(int(threadIdx.x) & (lanes - 1)), size(lanes) {}

  // The values of all lanes folded by a butterfly; every lane has the result.
  template <class V, class Fold>
  __device__ __forceinline__ V reduce(V value, Fold fold) const {
    for (int distance = size / 2; distance > 0; distance /= 2) {
      value = fold(value, __shfl_xor_sync(0xffffffffu, value, distance));
    }
    return value;
  }
};

// All threads of a block of whole warps.
struct BlockTeam {
  int rank, size;

  __device__ __forceinline__ BlockTeam() : rank(int(threadIdx.x)), size(int(blockDim.x)) {}

  template <class V, class Fold>
  __device__ __forceinline__ V reduce(V value, Fold fold) const {
    SHARED_MEMORY(of_warps, V[32]);
    value = LaneTeam(32).reduce(value, fold);
    __syncthreads();  // the reduction before this one has been read
    if (rank % 32 == 0) of_warps[rank / 32] = value;
    __syncthreads();
    value = of_warps[0];
    for (int warp = 1; warp < size / 32; warp++) value = fold(value, of_warps[warp]);
    return value;
  }
};

// Lanes that a row of `extent` elements keeps busy, as a power of two up to 32.
inline int lanes_for(std::int64_t extent) {
  int lanes = 1;
  while (lanes < extent && lanes < 32) lanes *= 2;
  return lanes;
}
