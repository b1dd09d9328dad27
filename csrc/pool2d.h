// What the bindings and launchers of pooling share: the shape of a call, checked.
#pragma once

#include "operator.h"

// One axis of x (`size`) and of y (`out`), and windows at p * stride - padding with elements `dilation` apart.
struct WindowAxis {
  int size, out;
  int kernel, stride, padding, dilation;
};

// From x (N, H, W, C) to y (N, P, Q, C). Adaptive and global pooling have only the extents.
struct Pool2dShape {
  std::int64_t samples;
  int channels;
  WindowAxis rows, columns;
};

// Checks for two float arrays (N, H, W, C) and (N, P, Q, C) of one dtype whose extents are below 2^31.
Pool2dShape pool2d_shape(const Call& call, const char* x, const char* y);

// Takes kernel_size, stride, padding and, where the operator has it, dilation. Every window starts before the end of x
// and reaches less than 2^31 pixels, so that kernels compute places as int.
void take_windows(const Call& call, Pool2dShape& shape, bool dilated);

// An extent of `name` as an int.
int require_extent(const Call& call, const char* name, std::int64_t extent);
