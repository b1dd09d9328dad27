// The last pass of a normalisation and of its backward, over the groups of channels of (samples, rows, C).
#pragma once

#include "channel_sums.h"

// y = (x - mean) / deviation * weight + bias; weight and bias: (C,) or null. batches, if there is one, is counted up.
void launch_normalise(const ArrayView& x, const GroupStatistics& statistics, const ArrayView& weight,
                      const ArrayView& bias, const ArrayView& y, const ChannelTiles& tiles, const ArrayView& batches,
                      simt::Stream stream);

// dx = (g - of_gradient - xhat * of_product) / deviation, with g = dy * weight and xhat = (x - mean) / deviation.
// of_gradient, of_product: the means of g and of g * xhat, (samples, groups). Where they are null the statistics are
// constants: dx = g / deviation, and x is not read.
void launch_normalise_backward(const ArrayView& dy, const ArrayView& x, const GroupStatistics& statistics,
                               const ArrayView& weight, const void* of_gradient, const void* of_product,
                               const ArrayView& dx, const ChannelTiles& tiles, simt::Stream stream);
