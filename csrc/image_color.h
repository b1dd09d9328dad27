// Brightness, contrast, saturation and hue of images: launcher.
#pragma once

#include "images.h"
#include "simt/stream.h"

// Parts that the pixels of an image are cut into for the mean of its grey, by the shape alone.
std::int64_t image_color_pieces(const ImageShape& shape);

void launch_image_color(const ArrayView& x,        // (N, C, H, W)
                        const ArrayView& factors,  // (N, 4), float32, or float64 for float64
                        const ArrayView& steps,    // (N, 4) uint8
                        const ArrayView& y,        // (N, C, H, W)
                        double* greys,             // (N, pieces), scratch
                        const ImageShape& shape, simt::Stream stream);
