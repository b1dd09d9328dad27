// Statistics of channels as kernels read them.
#pragma once

#include "channel_sums.h"
#include "device/tile_thread.h"

// function(TypeTag<A>) for the type that `dtype` is computed in.
template <class Function>
void dispatch_statistics(DType dtype, Function&& function) {
  return dtype == DType::float64 ? function(TypeTag<double>{}) : function(TypeTag<float>{});
}

// One batch more; beyond the largest int64 it wraps, as NumPy's does.
__device__ __forceinline__ std::int64_t counted_up(std::int64_t batches) {
  return std::int64_t(std::uint64_t(batches) + 1);
}

template <class A>
struct Deviation {
  const A* value;
  bool variance;
  double eps;

  explicit Deviation(const GroupStatistics& statistics)
      : value(static_cast<const A*>(statistics.deviation)), variance(statistics.variance), eps(statistics.eps) {}

  // 1 / deviation from one of the values.
  template <class B>
  __device__ __forceinline__ B inverse(B of) const {
    return variance ? B(1) / sqrt(of + B(eps)) : of;
  }
};
