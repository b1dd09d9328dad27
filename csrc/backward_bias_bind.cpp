// Binding of the gradients of biases.
#include "backward_bias.h"
#include "bindings.h"

namespace {

// dy (rows, channels, ...), its channels last in memory.
void backward_bias(const Call& call) {
  call.require_float("dy");
  call.require_same_dtype({"dy", "dbias"});
  const ArrayView& dy = call.array("dy");
  const ArrayView& dbias = call.array("dbias");
  call.require_shape("dbias", {dy.shape[1]}, "the channels of dy");
  launch_backward_bias(dy, dbias, call.scratch(backward_bias_scratch(dy, dbias)), call.stream());
}

void linear_backward_bias(const Call& call) {
  call.require_rank("dy", 2);
  backward_bias(call);
}

void conv2d_backward_bias(const Call& call) {
  call.require_rank("dy", 4);
  backward_bias(call);
}

}  // namespace

void bind_backward_bias(Operators& operators) {
  operators.push_back(
      {"linear_backward_bias", {{"dy", Access::read}, {"dbias", Access::write}}, {}, linear_backward_bias});
  for (const char* name : {"conv2d_backward_bias", "conv_transpose2d_backward_bias"}) {
    operators.push_back(
        {name, {{"dy", Access::read, kChannelsLast}, {"dbias", Access::write}}, {}, conv2d_backward_bias});
  }
}
