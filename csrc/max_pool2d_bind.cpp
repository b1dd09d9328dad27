// Bindings of max pooling.
#include "bindings.h"
#include "max_pool2d.h"

namespace {

const std::vector<NumberArgument> kWindow = {{"kernel_size", NumberKind::integer, 2},
                                             {"stride", NumberKind::integer, 2},
                                             {"padding", NumberKind::integer, 2},
                                             {"dilation", NumberKind::integer, 2}};

std::vector<NumberArgument> window_of_plane() {
  std::vector<NumberArgument> numbers = {{"height", NumberKind::integer}, {"width", NumberKind::integer}};
  numbers.insert(numbers.end(), kWindow.begin(), kWindow.end());
  return numbers;
}

// uint8 where that holds every offset of a window, else uint16.
void require_offsets(const Call& call, const char* like, const Pool2dShape& shape) {
  const std::int64_t elements = std::int64_t(shape.rows.kernel) * shape.columns.kernel;
  if (elements > 1 << 16) {
    call.refuse("kernel_size must hold at most 65536 elements, got " + std::to_string(elements));
  }
  call.require_dtype("offsets", {elements <= 256 ? DType::uint8 : DType::uint16});
  call.require_same_shape({like, "offsets"});
}

void max_pool2d_forward(const Call& call) {
  Pool2dShape shape = pool2d_shape(call, "x", "y");
  take_windows(call, shape, true);
  if (call.given("offsets")) require_offsets(call, "y", shape);
  launch_max_pool2d_forward(call.array("x"), call.array("y"), call.array("offsets"), shape, call.stream());
}

void max_pool2d_backward(const Call& call) {
  Pool2dShape shape = pool2d_shape(call, "dx", "dy");
  take_windows(call, shape, true);
  require_offsets(call, "dy", shape);
  launch_max_pool2d_backward(call.array("dy"), call.array("offsets"), call.array("dx"), shape, call.stream());
}

void max_pool2d_indices(const Call& call) {
  call.require_dtype("indices", {DType::int64});
  call.require_rank("offsets", 4);
  const std::vector<std::int64_t>& out = call.array("offsets").shape;
  Pool2dShape shape{};
  shape.samples = out[0];
  shape.rows.size = require_extent(call, "x", call.integer("height", 1, INT64_MAX));
  shape.columns.size = require_extent(call, "x", call.integer("width", 1, INT64_MAX));
  shape.rows.out = require_extent(call, "offsets", out[1]);
  shape.columns.out = require_extent(call, "offsets", out[2]);
  shape.channels = require_extent(call, "offsets", out[3]);
  take_windows(call, shape, true);
  require_offsets(call, "indices", shape);
  launch_max_pool2d_indices(call.array("offsets"), call.array("indices"), shape, call.stream());
}

}  // namespace

void bind_max_pool2d(Operators& operators) {
  operators.push_back({"max_pool2d_forward",
                       {{"x", Access::read}, {"y", Access::write}, {"offsets", Access::write, kOptional}},
                       kWindow,
                       max_pool2d_forward});
  operators.push_back({"max_pool2d_backward",
                       {{"dy", Access::read}, {"offsets", Access::read}, {"dx", Access::write}},
                       kWindow,
                       max_pool2d_backward});
  operators.push_back({"max_pool2d_indices",
                       {{"offsets", Access::read}, {"indices", Access::write}},
                       window_of_plane(),
                       max_pool2d_indices});
}
