// Layer normalisation of rows.
#pragma once

#include "channel_sums.h"

void launch_layer_norm_forward(const ArrayView& x,       // (rows, K)
                               const ArrayView& weight,  // (K,) or null
                               const ArrayView& bias,    // (K,) or null
                               const ArrayView& y,
                               const ArrayView& mean,  // (rows,)
                               const ArrayView& rstd, double eps, simt::Stream stream);
// dx, dweight, dbias: null where not wanted. scratch: 2 * tiles.partials() numbers to compute in.
void launch_layer_norm_backward(const ArrayView& dy, const ArrayView& x, const ArrayView& mean, const ArrayView& rstd,
                                const ArrayView& weight, const ArrayView& dx, const ArrayView& dweight,
                                const ArrayView& dbias, const ChannelTiles& tiles, void* scratch, simt::Stream stream);
