// Statistics of the channels of (samples, rows, C), in two launches: partial results of blocks, which are then merged
// in double, in a fixed order. What the normalisations share.
#pragma once

#include <cstdint>

#include "channel_tiles.h"
#include "simt/stream.h"

// The memory `count` such numbers further on.
inline void* numbers_after(void* memory, std::int64_t count, DType dtype) {
  return static_cast<char*>(memory) + count * accumulate_bytes(dtype);
}

// Of each group of channels of each sample, (samples, groups) of numbers to compute in. Batch norm has one sample, and
// as many groups as channels.
struct GroupStatistics {
  const void* mean = nullptr;
  const void* deviation = nullptr;  // rstd; or, if `variance`, the variance that 1 / sqrt(variance + eps) is made from
  std::int64_t groups = 1;
  bool variance = false;
  double eps = 0;
};

// Mean of the rows of each entry, and sum of squared deviations from it (in numbers to compute in), as (samples,
// entries, C). Means are doubles: where they are far from 0 the squares of all rows depend on digits that a float has
// not.
struct ChannelMoments {
  const double* means;
  const void* squares;
};
inline std::int64_t moments_bytes(const ChannelTiles& tiles, DType dtype) {
  return tiles.partials() * (std::int64_t(sizeof(double)) + accumulate_bytes(dtype));
}
ChannelMoments launch_channel_moments(const ArrayView& x, const ChannelTiles& tiles, void* scratch,
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
