// Bindings of adaptive average pooling.
#include "adaptive_avg_pool2d.h"
#include "bindings.h"
#include "global_avg_pool2d.h"

namespace {

// One bin is the global average, whose kernel has threads enough for it.
void adaptive_avg_pool2d_forward(const Call& call) {
  const Pool2dShape shape = pool2d_shape(call, "x", "y");
  if (shape.rows.out == 1 && shape.columns.out == 1) {
    run_global_avg_pool2d_forward(call, shape);
  } else {
    launch_adaptive_avg_pool2d_forward(call.array("x"), call.array("y"), shape, call.stream());
  }
}

void adaptive_avg_pool2d_backward(const Call& call) {
  const Pool2dShape shape = pool2d_shape(call, "dx", "dy");
  launch_adaptive_avg_pool2d_backward(call.array("dy"), call.array("dx"), shape, call.stream());
}

}  // namespace

void bind_adaptive_avg_pool2d(Operators& operators) {
  operators.push_back({"adaptive_avg_pool2d_forward",
                       {{"x", Access::read}, {"y", Access::write}},
                       {},
                       adaptive_avg_pool2d_forward});
  operators.push_back({"adaptive_avg_pool2d_backward",
                       {{"dy", Access::read}, {"dx", Access::write}},
                       {},
                       adaptive_avg_pool2d_backward});
}
