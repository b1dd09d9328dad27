// Reductions over the threads of a warp or a block, each in one fixed tree: the same bits whatever the schedule.
//
// `combine(a, b)` is Sum, Maximum or the like. Every thread of the warp or block has to call, and every one gets the
// result.
#pragma once

#include "device/numbers.h"

constexpr unsigned kWholeWarp = 0xffffffffu;

struct Sum {
  template <class A>
  __device__ __forceinline__ A operator()(A a, A b) const {
    return a + b;
  }
};

struct Maximum {  // NaN where one is
  template <class A>
  __device__ __forceinline__ A operator()(A a, A b) const {
    return nan_max(a, b);
  }
};

// Over teams of consecutive lanes; `team` is 1, 2, 4, 8, 16 or 32, the same for the whole warp.
template <class A, class Combine>
__device__ __forceinline__ A team_reduce(A value, int team, Combine combine) {
  for (int distance = team / 2; distance > 0; distance /= 2) {
    value = combine(value, __shfl_xor_sync(kWholeWarp, value, distance));
  }
  return value;
}

// blockDim.x is a multiple of 32, the other extents are 1.
template <class A, class Combine>
__device__ __forceinline__ A block_reduce(A value, Combine combine) {
  SHARED_MEMORY(of_warps, A[32]);
  value = team_reduce(value, 32, combine);
  const int warps = int(blockDim.x) / 32, warp = int(threadIdx.x) / 32;
  if (warps == 1) return value;
  __syncthreads();  // the result of a call before this one has been read
  if (threadIdx.x % 32 == 0) of_warps[warp] = value;
  __syncthreads();
  A result = of_warps[0];
  for (int w = 1; w < warps; w++) result = combine(result, of_warps[w]);
  return result;
}
