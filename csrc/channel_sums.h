// Statistics of the channels of (samples, rows, C), in two launches: partial results of blocks, which are then merged in
// double, in a fixed order. What the normalisations share.
#pragma once

#include "device/channel_tiles.h"

// Bytes of a number of the type that `dtype` is computed in.
inline std::int64_t accumulate_bytes(DType dtype) { return dtype == DType::float64 ? 8 : 4; }

// function(TypeTag<A>) for that type.
template <class Function>
void dispatch_statistics(DType dtype, Function&& function) {
  return dtype == DType::float64 ? function(TypeTag<double>{}) : function(TypeTag<float>{});
}

// The memory `count` such numbers further on.
inline void* numbers_after(void* memory, std::int64_t count, DType dtype) {
  return static_cast<char*>(memory) + count * accumulate_bytes(dtype);
}

// Of each group of channels of each sample, (samples, groups) of numbers to compute in. Batch norm has one sample, and as
// many groups as channels.
struct GroupStatistics {
  const void* mean = nullptr;
  const void* deviation = nullptr;  // rstd; or, if `variance`, the variance that 1 / sqrt(variance + eps) is made from
  std::int64_t groups = 1;
  bool variance = false;
  double eps = 0;
};

template <class A>
struct Deviation {
  const A* value;
  bool variance;
  double eps;

  explicit Deviation(const GroupStatistics& statistics)
      : value(static_cast<const A*>(statistics.deviation)), variance(statistics.variance), eps(statistics.eps) {}

  template <class B>
  __device__ __forceinline__ B inverse(std::int64_t i) const {
    return variance ? B(1) / sqrt(B(value[i]) + B(eps)) : B(value[i]);
  }
};

// Mean and squared deviations of the rows of each entry, as (samples, entries, C) of numbers to compute in.
void launch_channel_moments(const ArrayView& x, const ChannelTiles& tiles, void* means, void* squares,
                            simt::Stream stream);

// Sums of dy and of dy * (x - mean) of each entry, as (samples, entries, C). Where products is null x is not read.
void launch_gradient_sums(const ArrayView& dy, const ArrayView& x, const GroupStatistics& statistics,
                          const ChannelTiles& tiles, void* totals, void* products, simt::Stream stream);
// The same of one sample, the products of dy * (x - mean) * rstd with a mean and rstd for each row.
void launch_gradient_sums_by_row(const ArrayView& dy, const ArrayView& x, const ArrayView& mean, const ArrayView& rstd,
                                 const ChannelTiles& tiles, void* totals, void* products, simt::Stream stream);

// Sums over entries: where a merge takes them from, and where they go. What is null is left out.
struct MergedSums {
  std::int64_t samples, entries, channels;
  const void *totals, *products;                      // (samples, entries, C)
  GroupStatistics statistics = {};                    // a deviation divides the products
  void *dbias = nullptr, *dweight = nullptr;          // (samples, C) of `dtype`
  void *total_out = nullptr, *product_out = nullptr;  // (samples, C) of numbers to compute in, times weight and scale
  const void* weight = nullptr;                       // (C,) of `dtype`
  double scale = 1;
};
void launch_merge_sums(const MergedSums& sums, DType dtype, simt::Stream stream);
