// Binding of group normalisation.
#include "bindings.h"
#include "group_norm.h"
#include "norm_checks.h"

namespace {

// x and the arrays of its form and of its channels; returns how x is gone through.
ChannelTiles check(const Call& call, std::initializer_list<const char*> like_x,
                   std::initializer_list<const char*> parameters) {
  call.require_float("x");
  call.require_rank("x", 3);
  require_like_x(call, like_x);
  const ArrayView& x = call.array("x");
  require_parameters(call, parameters, {x.shape[2]});
  call.require_rank("mean", 2);
  const std::int64_t groups = call.array("mean").shape[1];
  if (groups < 1 || x.shape[2] % groups) {
    call.refuse("C of x " + std::to_string(x.shape[2]) + " must be divisible by the groups of mean, got " +
                std::to_string(groups));
  }
  require_statistics(call, {"mean", "rstd"}, {x.shape[0], groups}, "(N, G) of x");
  return channel_tiles(x.shape[0], x.shape[1], x.shape[2], x.dtype);
}

void group_norm_forward(const Call& call) {
  const ChannelTiles tiles = check(call, {"y"}, {"weight", "bias"});
  const ArrayView& x = call.array("x");
  launch_group_norm_forward(x, call.array("weight"), call.array("bias"), call.array("y"), call.array("mean"),
                            call.array("rstd"), call.real("eps"), tiles,
                            moments_scratch(call, tiles), call.stream());
}

void group_norm_backward(const Call& call) {
  const ChannelTiles tiles = check(call, {"dy", "dx"}, {"weight", "dweight", "dbias"});
  const ArrayView &x = call.array("x"), &mean = call.array("mean");
  const std::int64_t numbers = x.size ? 2 * (tiles.partials() + tiles.samples * tiles.channels + mean.size) : 0;
  launch_group_norm_backward(call.array("dy"), x, mean, call.array("rstd"), call.array("weight"), call.array("dx"),
                             call.array("dweight"), call.array("dbias"), tiles,
                             numbers_scratch(call, numbers), call.stream());
}

}  // namespace

void bind_group_norm(Operators& operators) {
  operators.push_back({"group_norm_forward", forward_arrays(), {{"eps", NumberKind::real}}, group_norm_forward});
  operators.push_back({"group_norm_backward", backward_arrays("mean", "rstd"), {}, group_norm_backward});
}
