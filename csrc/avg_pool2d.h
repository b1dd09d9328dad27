// Average pooling: launchers.
#pragma once

#include "array_view.h"
#include "pool2d.h"
#include "simt/stream.h"

// divisor: of every window, or 0 for the number of its elements, those in the padding too where count_padding says so.
void launch_avg_pool2d_forward(const ArrayView& x,  // (N, H, W, C)
                               const ArrayView& y,  // (N, P, Q, C)
                               const Pool2dShape& shape, bool count_padding, std::int64_t divisor, simt::Stream stream);
void launch_avg_pool2d_backward(const ArrayView& dy,  // (N, P, Q, C)
                                const ArrayView& dx,  // (N, H, W, C)
                                const Pool2dShape& shape, bool count_padding, std::int64_t divisor,
                                simt::Stream stream);
