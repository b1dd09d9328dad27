// Bindings of the linear layer: a convolution of images of one pixel, whose rows are the images.
#include <algorithm>
#include <limits>

#include "bindings.h"
#include "conv2d.h"

namespace {

// x: (N, I), weight: (O, I), y: (N, O), which the arrays in these roles must agree on.
Conv2dShape linear_shape(const Call& call, const char* x, const char* weight, const char* y) {
  call.require_float(x);
  call.require_same_dtype({x, weight, y});
  for (const char* name : {x, weight, y}) call.require_rank(name, 2);
  const std::int64_t rows = call.array(x).shape[0], inputs = call.array(x).shape[1], outputs = call.array(y).shape[1];
  call.require_shape(weight, {outputs, inputs}, "outputs and inputs");
  call.require_shape(y, {rows, outputs}, "rows and outputs");
  constexpr std::int64_t kLargest = std::numeric_limits<std::int32_t>::max();
  for (std::int64_t features : {inputs, outputs}) {
    if (features > kLargest) {
      call.refuse("inputs and outputs must be at most " + std::to_string(kLargest) + ", got " +
                  std::to_string(features));
    }
  }
  Conv2dShape s;
  s.N = rows, s.H = s.W = s.P = s.Q = 1;
  s.C = std::max<std::int64_t>(inputs, 1), s.K = std::max<std::int64_t>(outputs, 1);
  s.R = inputs && outputs, s.S = 1;  // without inputs or outputs, a window without taps: the sum is 0
  s.stride_h = s.stride_w = s.dilation_h = s.dilation_w = s.groups = 1;
  s.pad_h = s.pad_w = 0;
  return s;
}

void linear_forward(const Call& call) {
  const Conv2dShape shape = linear_shape(call, "x", "weight", "y");
  if (call.given("bias")) {
    call.require_same_dtype({"x", "bias"});
    call.require_shape("bias", {call.array("y").shape[1]}, "one number for each output");
  }
  launch_conv2d_forward(call.array("x"), call.array("weight"), call.array("bias"), call.array("y"), shape,
                        call.stream());
}

void linear_backward_data(const Call& call) {
  launch_conv2d_backward_data(call.array("dy"), call.array("weight"), {}, call.array("dx"),
                              linear_shape(call, "dx", "weight", "dy"), call.stream());
}

void linear_backward_weight(const Call& call) {
  const Conv2dShape shape = linear_shape(call, "x", "dweight", "dy");
  launch_conv2d_backward_weight(call.array("dy"), call.array("x"), call.array("dweight"),
                                call.scratch(conv2d_backward_weight_scratch(shape, call.array("x").dtype)), shape,
                                call.stream());
}

}  // namespace

void bind_linear(Operators& operators) {
  operators.push_back({"linear_forward",
                       {{"x", Access::read},
                        {"weight", Access::read},
                        {"bias", Access::read, kOptional},
                        {"y", Access::write}},
                       {},
                       linear_forward});
  operators.push_back({"linear_backward_data",
                       {{"dy", Access::read}, {"weight", Access::read}, {"dx", Access::write}},
                       {},
                       linear_backward_data});
  operators.push_back({"linear_backward_weight",
                       {{"dy", Access::read}, {"x", Access::read}, {"dweight", Access::write}},
                       {},
                       linear_backward_weight});
}
