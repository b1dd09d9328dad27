// Bindings of average pooling.
#include "avg_pool2d.h"
#include "bindings.h"

namespace {

const std::vector<NumberArgument> kNumbers = {{"kernel_size", NumberKind::integer, 2},
                                              {"stride", NumberKind::integer, 2},
                                              {"padding", NumberKind::integer, 2},
                                              {"count_include_pad", NumberKind::integer},
                                              {"divisor_override", NumberKind::integer}};

using Launch = void (*)(const ArrayView&, const ArrayView&, const Pool2dShape&, bool, std::int64_t, simt::Stream);

void run(const Call& call, const char* x, const char* y, const char* from, const char* to, Launch launch) {
  Pool2dShape shape = pool2d_shape(call, x, y);
  take_windows(call, shape, false);
  launch(call.array(from), call.array(to), shape, call.integer("count_include_pad", 0, 1) != 0,
         call.integer("divisor_override", 0, INT64_MAX), call.stream());
}

void avg_pool2d_forward(const Call& call) { run(call, "x", "y", "x", "y", launch_avg_pool2d_forward); }

void avg_pool2d_backward(const Call& call) { run(call, "dx", "dy", "dy", "dx", launch_avg_pool2d_backward); }

}  // namespace

void bind_avg_pool2d(Operators& operators) {
  operators.push_back(
      {"avg_pool2d_forward", {{"x", Access::read}, {"y", Access::write}}, kNumbers, avg_pool2d_forward});
  operators.push_back(
      {"avg_pool2d_backward", {{"dy", Access::read}, {"dx", Access::write}}, kNumbers, avg_pool2d_backward});
}
