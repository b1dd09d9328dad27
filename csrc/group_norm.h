// Group normalisation of channels-last samples.
#pragma once

#include "channel_sums.h"

// scratch: moments_bytes(tiles, x.dtype).
void launch_group_norm_forward(const ArrayView& x,       // (N, L, C)
                               const ArrayView& weight,  // (C,) or null
                               const ArrayView& bias,    // (C,) or null
                               const ArrayView& y,
                               const ArrayView& mean,  // (N, G)
                               const ArrayView& rstd, double eps, const ChannelTiles& tiles, void* scratch,
                               simt::Stream stream);
// dx, dweight, dbias: null where not wanted. scratch: 2 * (tiles.partials() + N * C + N * G) numbers to compute in.
void launch_group_norm_backward(const ArrayView& dy, const ArrayView& x, const ArrayView& mean, const ArrayView& rstd,
                                const ArrayView& weight, const ArrayView& dx, const ArrayView& dweight,
                                const ArrayView& dbias, const ChannelTiles& tiles, void* scratch, simt::Stream stream);
