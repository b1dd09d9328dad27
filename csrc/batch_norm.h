// Batch normalisation of channels-last rows.
#pragma once

#include "channel_sums.h"

struct BatchNormTracking {
  const ArrayView &running_mean, &running_var;  // (C,) or null
  const ArrayView& batches;                     // int64 of shape () or null
  bool average;                                 // a new batch weighs 1 / batches, else momentum
  double momentum;
};

// scratch: moments_bytes(tiles, x.dtype).
void launch_batch_norm_forward(const ArrayView& x,       // (rows, C)
                               const ArrayView& weight,  // (C,) or null
                               const ArrayView& bias,    // (C,) or null
                               const ArrayView& y, const ArrayView& mean, const ArrayView& rstd,
                               const BatchNormTracking& tracking, double eps, const ChannelTiles& tiles, void* scratch,
                               simt::Stream stream);
// statistics: those of the batch, or constants (of_batch false). dx, dweight, dbias: null where not wanted.
// scratch: 2 * tiles.partials() + 2 * C numbers to compute in.
void launch_batch_norm_backward(const ArrayView& dy, const ArrayView& x, const GroupStatistics& statistics,
                                bool of_batch, const ArrayView& weight, const ArrayView& dx, const ArrayView& dweight,
                                const ArrayView& dbias, const ChannelTiles& tiles, void* scratch, simt::Stream stream);
