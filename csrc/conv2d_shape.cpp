// The numbers of a convolution, checked.
#include "conv2d_shape.h"

#include <algorithm>
#include <limits>
#include <string>

#include "operator.h"

namespace {

constexpr std::int64_t kLargest = std::numeric_limits<std::int32_t>::max();
constexpr std::int64_t kLongestAxis = kLargest - 64;  // kernels step beyond its end by less than a tile

void check_extents(const Call& call, const char* name, std::size_t first_axis, std::int64_t low) {
  const std::vector<std::int64_t>& shape = call.array(name).shape;
  for (std::size_t axis = first_axis; axis < shape.size(); axis++) {
    if (shape[axis] >= low && shape[axis] <= kLargest) continue;
    call.refuse("axis " + std::to_string(axis) + " of " + name + " must have from " + std::to_string(low) + " to " +
                std::to_string(kLargest) + " elements, got " + std::to_string(shape[axis]));
  }
}

// What the windows leave over at the end of a padded axis. Below the stride for a convolution; output_padding for a
// transposed one, which is below the stride or the dilation; -1 where padding is "same" and an odd pixel is at the end.
void check_axis(const Call& call, const char* x, const char* y, std::int64_t extent, std::int64_t field,
                std::int64_t outputs, std::int64_t stride, std::int64_t padding, std::int64_t dilation) {
  const std::int64_t padded = extent + 2 * padding;
  if (padded > kLongestAxis) {
    call.refuse(std::string(x) + " must have at most " + std::to_string(kLongestAxis) +
                " rows and columns with their padding, got " + std::to_string(padded));
  }
  const std::int64_t left = padded - (dilation * (field - 1) + 1) - (outputs - 1) * stride;
  if (left >= -1 && left < std::max(stride, dilation)) return;
  call.refuse(std::to_string(outputs) + " rows or columns of " + y + " do not fit to " + std::to_string(extent) +
              " of " + x + " with a window of " + std::to_string(field) + ", stride " + std::to_string(stride) +
              ", padding " + std::to_string(padding) + " and dilation " + std::to_string(dilation));
}

}  // namespace

Conv2dShape conv2d_shape(const Call& call, const char* x, const char* weight, const char* y) {
  call.require_float(x);
  call.require_same_dtype({x, weight, y});
  for (const char* name : {x, weight, y}) call.require_rank(name, 4);
  check_extents(call, x, 2, 0);
  check_extents(call, weight, 0, 1);
  check_extents(call, y, 1, 1);
  const std::vector<std::int64_t> stride = call.integers("stride", 1, kLargest);
  const std::vector<std::int64_t> padding = call.integers("padding", 0, kLargest);
  const std::vector<std::int64_t> dilation = call.integers("dilation", 1, kLargest);
  const std::vector<std::int64_t>& image = call.array(x).shape;
  const std::vector<std::int64_t>& filters = call.array(weight).shape;
  const std::vector<std::int64_t>& result = call.array(y).shape;
  Conv2dShape s;
  s.N = image[0], s.C = image[1], s.H = image[2], s.W = image[3];
  s.K = filters[0], s.R = filters[2], s.S = filters[3];
  s.P = result[2], s.Q = result[3];
  s.stride_h = stride[0], s.stride_w = stride[1];
  s.pad_h = padding[0], s.pad_w = padding[1];
  s.dilation_h = dilation[0], s.dilation_w = dilation[1];
  s.groups = call.integer("groups", 1, kLargest);
  const std::string both = std::string("as ") + x + " and " + weight + " have it";
  call.require_shape(y, {s.N, s.K, s.P, s.Q}, both.c_str());
  if (s.C != filters[1] * s.groups) {
    call.refuse(std::string(x) + " must have " + std::to_string(filters[1] * s.groups) + " channels, " +
                std::to_string(filters[1]) + " of " + weight + " in each of " + std::to_string(s.groups) +
                " groups, got " + std::to_string(s.C));
  }
  if (s.K % s.groups) {
    call.refuse("groups must divide the " + std::to_string(s.K) + " filters of " + weight + ", got " +
                std::to_string(s.groups));
  }
  check_axis(call, x, y, s.H, s.R, s.P, s.stride_h, s.pad_h, s.dilation_h);
  check_axis(call, x, y, s.W, s.S, s.Q, s.stride_w, s.pad_w, s.dilation_w);
  return s;
}

Conv2dShape flattened(const Conv2dShape& s) {
  const bool every_pixel = s.R == 1 && s.S == 1 && s.stride_h == 1 && s.stride_w == 1 && s.pad_h == 0 && s.pad_w == 0 &&
                           s.P == s.H && s.Q == s.W;
  if (!every_pixel || s.N == 0 || s.N * s.H * s.W > kLargest) return s;
  Conv2dShape row = s;
  row.N = row.H = row.P = 1;
  row.W = row.Q = s.N * s.H * s.W;
  return row;
}
