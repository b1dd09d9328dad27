// Global average pooling: launchers. The gradient is that of adaptive pooling to one bin.
#pragma once

#include "array_view.h"
#include "pool2d.h"
#include "simt/stream.h"

// Parts that the pixels of an image are cut into, by the shape alone.
std::int64_t global_avg_pool2d_pieces(const Pool2dShape& shape);

// partials: (N, pieces, C) in float, or double for double; null where there is one piece.
void launch_global_avg_pool2d_forward(const ArrayView& x,  // (N, H, W, C)
                                      const ArrayView& y,  // (N, 1, 1, C)
                                      const Pool2dShape& shape, void* partials, simt::Stream stream);

// Runs the operator on the arrays x and y of a call, with scratch memory of it.
void run_global_avg_pool2d_forward(const Call& call, const Pool2dShape& shape);
