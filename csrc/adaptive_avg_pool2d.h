// Adaptive average pooling: launchers.
#pragma once

#include "array_view.h"
#include "pool2d.h"
#include "simt/stream.h"

void launch_adaptive_avg_pool2d_forward(const ArrayView& x,  // (N, H, W, C)
                                        const ArrayView& y,  // (N, P, Q, C)
                                        const Pool2dShape& shape, simt::Stream stream);
void launch_adaptive_avg_pool2d_backward(const ArrayView& dy,  // (N, P, Q, C)
                                         const ArrayView& dx,  // (N, H, W, C)
                                         const Pool2dShape& shape, simt::Stream stream);
