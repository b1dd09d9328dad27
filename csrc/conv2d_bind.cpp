// Bindings of 2-D convolution and of its transpose, whose directions are those of the convolution with x and y swapped.
#include "bindings.h"
#include "conv2d.h"

namespace {

void require_bias(const Call& call, std::int64_t channels) {
  if (!call.given("bias")) return;
  call.require_same_dtype({"weight", "bias"});
  call.require_shape("bias", {channels}, "one number for each channel of y");
}

void forward(const Call& call, const char* x, const char* y, const ArrayView& bias) {
  launch_conv2d_forward(call.array(x), call.array("weight"), bias, call.array(y), conv2d_shape(call, x, "weight", y),
                        call.stream());
}

void backward_data(const Call& call, const char* dy, const char* dx, const ArrayView& bias) {
  launch_conv2d_backward_data(call.array(dy), call.array("weight"), bias, call.array(dx),
                              conv2d_shape(call, dx, "weight", dy), call.stream());
}

void backward_weight(const Call& call, const char* dy, const char* x) {
  const Conv2dShape shape = conv2d_shape(call, x, "dweight", dy);
  launch_conv2d_backward_weight(call.array(dy), call.array(x), call.array("dweight"),
                                call.scratch(conv2d_backward_weight_scratch(shape, call.array(x).dtype)), shape,
                                call.stream());
}

void conv2d_forward(const Call& call) {
  call.require_rank("y", 4);
  require_bias(call, call.array("y").shape[1]);
  forward(call, "x", "y", call.array("bias"));
}
void conv2d_backward_data(const Call& call) { backward_data(call, "dy", "dx", {}); }
void conv2d_backward_weight(const Call& call) { backward_weight(call, "dy", "x"); }

void conv_transpose2d_forward(const Call& call) {
  call.require_rank("y", 4);
  require_bias(call, call.array("y").shape[1]);
  backward_data(call, "x", "y", call.array("bias"));
}
void conv_transpose2d_backward_data(const Call& call) { forward(call, "dy", "dx", {}); }
void conv_transpose2d_backward_weight(const Call& call) { backward_weight(call, "x", "dy"); }

}  // namespace

void bind_conv2d(Operators& operators) {
  const std::vector<ArrayArgument> forward{{"x", Access::read, kChannelsLast},
                                           {"weight", Access::read, kChannelsLast},
                                           {"bias", Access::read, kOptional},
                                           {"y", Access::write, kChannelsLast}};
  const std::vector<ArrayArgument> data{{"dy", Access::read, kChannelsLast},
                                        {"weight", Access::read, kChannelsLast},
                                        {"dx", Access::write, kChannelsLast}};
  const std::vector<ArrayArgument> weight{{"dy", Access::read, kChannelsLast},
                                          {"x", Access::read, kChannelsLast},
                                          {"dweight", Access::write, kChannelsLast}};
  const std::vector<NumberArgument> numbers{{"stride", NumberKind::integer, 2},
                                            {"padding", NumberKind::integer, 2},
                                            {"dilation", NumberKind::integer, 2},
                                            {"groups", NumberKind::integer}};
  operators.push_back({"conv2d_forward", forward, numbers, conv2d_forward});
  operators.push_back({"conv2d_backward_data", data, numbers, conv2d_backward_data});
  operators.push_back({"conv2d_backward_weight", weight, numbers, conv2d_backward_weight});
  operators.push_back({"conv_transpose2d_forward", forward, numbers, conv_transpose2d_forward});
  operators.push_back({"conv_transpose2d_backward_data", data, numbers, conv_transpose2d_backward_data});
  operators.push_back({"conv_transpose2d_backward_weight", weight, numbers, conv_transpose2d_backward_weight});
}
