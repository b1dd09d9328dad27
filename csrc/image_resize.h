// Images at another size: launcher.
#pragma once

#include "images.h"
#include "simt/stream.h"

// Row p of sample n is the sum over t < count[n] of weights[n, p, t] * row first[n, p] + t of x; columns likewise.
struct ResizeTaps {
  const ArrayView& first;    // (N, P) int32
  const ArrayView& weights;  // (N, P, T), float32, or float64 for float64
  const ArrayView& count;    // (N,) int32
};

void launch_image_resize(const ArrayView& x,  // (N, C, H, W)
                         const ResizeTaps& rows, const ResizeTaps& columns,
                         const ArrayView& y,  // (N, C, P, Q)
                         const ImageShape& shape, simt::Stream stream);
