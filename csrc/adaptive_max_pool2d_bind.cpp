// Bindings of adaptive max pooling.
#include "adaptive_max_pool2d.h"
#include "bindings.h"

namespace {

void adaptive_max_pool2d_forward(const Call& call) {
  const Pool2dShape shape = pool2d_shape(call, "x", "y");
  call.require_dtype("indices", {DType::int64});
  call.require_same_shape({"y", "indices"});
  launch_adaptive_max_pool2d_forward(call.array("x"), call.array("y"), call.array("indices"), shape, call.stream());
}

void adaptive_max_pool2d_backward(const Call& call) {
  const Pool2dShape shape = pool2d_shape(call, "dx", "dy");
  call.require_dtype("indices", {DType::int64});
  call.require_same_shape({"dy", "indices"});
  launch_adaptive_max_pool2d_backward(call.array("dy"), call.array("indices"), call.array("dx"), shape, call.stream());
}

}  // namespace

void bind_adaptive_max_pool2d(Operators& operators) {
  operators.push_back({"adaptive_max_pool2d_forward",
                       {{"x", Access::read}, {"y", Access::write}, {"indices", Access::write}},
                       {},
                       adaptive_max_pool2d_forward});
  operators.push_back({"adaptive_max_pool2d_backward",
                       {{"dy", Access::read}, {"indices", Access::read}, {"dx", Access::write}},
                       {},
                       adaptive_max_pool2d_backward});
}
