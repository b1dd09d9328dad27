// Erased rectangles of images: launcher.
#pragma once

#include "images.h"
#include "simt/stream.h"

void launch_image_erase(const ArrayView& x,      // (N, C, H, W)
                        const ArrayView& edges,  // (N, 4) int32: top, bottom, left, right
                        const ArrayView& value,  // (C,)
                        const ArrayView& y,      // (N, C, H, W)
                        const ImageShape& shape, simt::Stream stream);
