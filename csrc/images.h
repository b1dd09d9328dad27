// What the bindings and launchers of the image transforms share: the shape of a call, checked.
#pragma once

#include "operator.h"

// From x (N, C, H, W) to y (N, C, P, Q), both channels-last.
struct ImageShape {
  std::int64_t samples;
  int channels, height, width, rows, columns;
};

// Checks for arrays x and y of one dtype, uint8 or floating, of one N and C. Extents are at most 2^30, so that float32
// holds the ends of an axis.
ImageShape image_shape(const Call& call);

// The same without a look at the dtypes.
ImageShape image_extents(const Call& call);

// As image_shape, for y of the size of x.
ImageShape same_size_shape(const Call& call);

// A table of parameters: its dtype and shape.
void require_table(const Call& call, const char* name, DType dtype, const std::vector<std::int64_t>& shape);

// uint8, float16, bfloat16, float32 or float64.
void require_pixels(const Call& call, const char* name);

// float32, or float64 for float64.
DType wide_dtype(DType dtype);
