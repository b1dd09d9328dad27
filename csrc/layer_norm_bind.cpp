// Binding of layer normalisation.
#include "bindings.h"
#include "layer_norm.h"
#include "norm_checks.h"

namespace {

// x and the arrays of its form, of its columns and of its rows.
void check(const Call& call, std::initializer_list<const char*> like_x,
           std::initializer_list<const char*> parameters) {
  call.require_float("x");
  call.require_rank("x", 2);
  require_like_x(call, like_x);
  require_parameters(call, parameters, {call.array("x").shape[1]});
  require_statistics(call, {"mean", "rstd"}, {call.array("x").shape[0]}, "a number a row of x");
}

void layer_norm_forward(const Call& call) {
  check(call, {"y"}, {"weight", "bias"});
  launch_layer_norm_forward(call.array("x"), call.array("weight"), call.array("bias"), call.array("y"),
                            call.array("mean"), call.array("rstd"), call.real("eps"), call.stream());
}

void layer_norm_backward(const Call& call) {
  check(call, {"dy", "dx"}, {"weight", "dweight", "dbias"});
  const ArrayView& x = call.array("x");
  const ChannelTiles tiles = channel_tiles(1, x.shape[0], x.shape[1], x.dtype);
  launch_layer_norm_backward(call.array("dy"), x, call.array("mean"), call.array("rstd"), call.array("weight"),
                             call.array("dx"), call.array("dweight"), call.array("dbias"), tiles,
                             numbers_scratch(call, 2 * tiles.partials()), call.stream());
}

}  // namespace

void bind_layer_norm(Operators& operators) {
  operators.push_back({"layer_norm_forward", forward_arrays(), {{"eps", NumberKind::real}}, layer_norm_forward});
  operators.push_back({"layer_norm_backward", backward_arrays("mean", "rstd"), {}, layer_norm_backward});
}
