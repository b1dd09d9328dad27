// The numbers of a convolution, checked, as its launchers and kernels take them.
#pragma once

#include <cstdint>

class Call;

// x: (N, C, H, W), weight: (K, C / groups, R, S), y: (N, K, P, Q), all stored channels-last.
//   y[n, k, p, q] = sum over c, r, s of x[n, c, p * stride_h - pad_h + r * dilation_h, ...] * weight[k, c, r, s]
// C, K, R, S, P and Q are 1 or more, so that only N, H and W may be 0. All numbers but N are below 2^31, and so are the
// rows and columns of the padded image: a position in an image is an int, an offset in memory 64-bit.
struct Conv2dShape {
  std::int64_t N, C, H, W, K, R, S, P, Q;
  std::int64_t stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;
  std::int64_t groups;
};

// The shape of a call that has the numbers stride, padding, dilation and groups. `x`, `weight` and `y` name the arrays
// in these roles: a gradient has the role of what it is the gradient of, and a transposed convolution swaps x and y.
// Checks all that the arrays must agree on: dtypes, ranks, channels, extents and ranges.
Conv2dShape conv2d_shape(const Call& call, const char* x, const char* weight, const char* y);

// The same work with all pixels in one row, where windows are single pixels that meet each pixel of x once: a plain
// matrix product, whose kernels need not ask what row or image a pixel is in.
Conv2dShape flattened(const Conv2dShape& shape);
