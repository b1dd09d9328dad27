// Affine maps of images: launchers.
#pragma once

#include "images.h"
#include "simt/stream.h"

void launch_image_affine(const ArrayView& x,         // (N, C, H, W)
                         const ArrayView& matrices,  // (N, 2, 3) float32
                         const ArrayView& fill,      // (C,)
                         const ArrayView& y,         // (N, C, P, Q)
                         const ImageShape& shape, bool bilinear, simt::Stream stream);
