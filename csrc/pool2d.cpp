// The shape of a pooling call, checked.
#include "pool2d.h"

namespace {

constexpr std::int64_t kLargest = 0x7fffffff;

void take_axis(const Call& call, WindowAxis& axis, std::size_t i, bool dilated) {
  const std::int64_t kernel = call.integers("kernel_size", 1, kLargest)[i];
  const std::int64_t stride = call.integers("stride", 1, kLargest)[i];
  const std::int64_t padding = call.integers("padding", 0, kLargest)[i];
  const std::int64_t dilation = dilated ? call.integers("dilation", 1, kLargest)[i] : 1;
  if (2 * padding > kernel) {
    call.refuse("padding must be at most half of kernel_size, got " + std::to_string(padding) + " of " +
                std::to_string(kernel));
  }
  const std::int64_t reach = axis.size + padding + dilation * (kernel - 1) + 1;
  if (reach > kLargest) call.refuse("the windows must reach less than 2^31 pixels, got " + std::to_string(reach));
  if (axis.out > (axis.size + padding - 1) / stride + 1) {
    call.refuse("every window must start before the end of an axis of " + std::to_string(axis.size) + " pixels, got " +
                std::to_string(axis.out) + " windows");
  }
  axis.kernel = int(kernel);
  axis.stride = int(stride);
  axis.padding = int(padding);
  axis.dilation = int(dilation);
}

}  // namespace

int require_extent(const Call& call, const char* name, std::int64_t extent) {
  if (extent < 1 || extent > kLargest) {
    call.refuse(std::string(name) + " must have H, W and C in [1, " + std::to_string(kLargest) + "], got " +
                std::to_string(extent));
  }
  return int(extent);
}

Pool2dShape pool2d_shape(const Call& call, const char* x, const char* y) {
  call.require_float(x);
  call.require_same_dtype({x, y});
  call.require_rank(x, 4);
  call.require_rank(y, 4);
  const std::vector<std::int64_t>& in = call.array(x).shape;
  const std::vector<std::int64_t>& out = call.array(y).shape;
  call.require_shape(y, {in[0], out[1], out[2], in[3]}, "(N, P, Q, C)");
  Pool2dShape shape{};
  shape.samples = in[0];
  shape.rows.size = require_extent(call, x, in[1]);
  shape.columns.size = require_extent(call, x, in[2]);
  shape.channels = require_extent(call, x, in[3]);
  shape.rows.out = require_extent(call, y, out[1]);
  shape.columns.out = require_extent(call, y, out[2]);
  return shape;
}

void take_windows(const Call& call, Pool2dShape& shape, bool dilated) {
  take_axis(call, shape.rows, 0, dilated);
  take_axis(call, shape.columns, 1, dilated);
}
