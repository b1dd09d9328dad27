// Max pooling: launchers.
#pragma once

#include "array_view.h"
#include "pool2d.h"
#include "simt/stream.h"

// offsets: uint8 or uint16, r * S + s of the first largest element of each window.
void launch_max_pool2d_forward(const ArrayView& x,        // (N, H, W, C)
                               const ArrayView& y,        // (N, P, Q, C)
                               const ArrayView& offsets,  // (N, P, Q, C), or null
                               const Pool2dShape& shape, simt::Stream stream);
void launch_max_pool2d_backward(const ArrayView& dy,       // (N, P, Q, C)
                                const ArrayView& offsets,  // (N, P, Q, C)
                                const ArrayView& dx,       // (N, H, W, C)
                                const Pool2dShape& shape, simt::Stream stream);
void launch_max_pool2d_indices(const ArrayView& offsets,  // (N, P, Q, C)
                               const ArrayView& indices,  // (N, P, Q, C) int64
                               const Pool2dShape& shape, simt::Stream stream);
