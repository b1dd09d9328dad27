// Normalisation of images: launcher.
#pragma once

#include "array_view.h"
#include "simt/stream.h"

// mean, factor: (C,), float64 where x or y is, else float32.
void launch_image_normalize(const ArrayView& x,  // (N, H, W, C), or (N, C, H, W) with planes
                            const ArrayView& mean, const ArrayView& factor,
                            const ArrayView& y,  // (N, H, W, C)
                            bool planes, simt::Stream stream);
