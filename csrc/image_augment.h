// Crop, affine map, colour, erasing and normalisation of uint8 images in one launch: launcher.
#pragma once

#include "images.h"
#include "simt/stream.h"

// The tables of the stages, as their operators take them; those of a stage that is left out have no data.
struct AugmentTables {
  ArrayView rows, columns, crop_fill;  // (N, cropped height), (N, cropped width) int32; (C,) uint8
  ArrayView matrices, affine_fill;     // (N, 2, 3) float32; (C,) uint8
  ArrayView factors, steps;            // (N, 4) float32; (N, 4) uint8
  ArrayView edges, value;              // (N, 4) int32; (C,) uint8
  ArrayView mean, factor;              // (C,), float64 where y is, else float32
  ArrayView edges_after, value_after;  // (N, 4) int32; (C,) of the dtype of y
};

void launch_image_augment(const ArrayView& x,  // (N, C, H, W) uint8
                          const AugmentTables& tables,
                          const ArrayView& y,  // (N, C, P, Q), uint8, or floating with mean and factor
                          const ImageShape& shape, bool bilinear, simt::Stream stream);
