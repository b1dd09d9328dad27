// Bindings of global average pooling.
#include "global_avg_pool2d.h"

#include "adaptive_avg_pool2d.h"
#include "bindings.h"

void run_global_avg_pool2d_forward(const Call& call, const Pool2dShape& shape) {
  const ArrayView& x = call.array("x");
  const ArrayView& y = call.array("y");
  const std::int64_t pieces = global_avg_pool2d_pieces(shape), partials = pieces > 1 ? y.size * pieces : 0;
  launch_global_avg_pool2d_forward(x, y, shape, call.scratch(std::size_t(partials * accumulate_bytes(x.dtype))),
                                   call.stream());
}

namespace {

Pool2dShape global_shape(const Call& call, const char* x, const char* y) {
  const Pool2dShape shape = pool2d_shape(call, x, y);
  call.require_shape(y, {shape.samples, 1, 1, shape.channels}, "(N, 1, 1, C)");
  return shape;
}

void global_avg_pool2d_forward(const Call& call) { run_global_avg_pool2d_forward(call, global_shape(call, "x", "y")); }

void global_avg_pool2d_backward(const Call& call) {
  const Pool2dShape shape = global_shape(call, "dx", "dy");
  launch_adaptive_avg_pool2d_backward(call.array("dy"), call.array("dx"), shape, call.stream());
}

}  // namespace

void bind_global_avg_pool2d(Operators& operators) {
  operators.push_back({"global_avg_pool2d_forward",
                       {{"x", Access::read}, {"y", Access::write}},
                       {},
                       global_avg_pool2d_forward});
  operators.push_back({"global_avg_pool2d_backward",
                       {{"dy", Access::read}, {"dx", Access::write}},
                       {},
                       global_avg_pool2d_backward});
}
