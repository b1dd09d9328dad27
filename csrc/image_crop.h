// Crops and flips of images: launcher.
#pragma once

#include "images.h"
#include "simt/stream.h"

void launch_image_crop(const ArrayView& x,        // (N, C, H, W)
                       const ArrayView& rows,     // (N, P) int32
                       const ArrayView& columns,  // (N, Q) int32
                       const ArrayView& fill,     // (C,)
                       const ArrayView& y,        // (N, C, P, Q)
                       const ImageShape& shape, simt::Stream stream);
