// Binding of batch normalisation.
#include "batch_norm.h"
#include "bindings.h"
#include "norm_checks.h"
#include "normalise.h"

namespace {

ChannelTiles tiles_of(const ArrayView& x) { return channel_tiles(1, x.shape[0], x.shape[1], x.dtype); }

// x and the arrays of its form and of its channels.
void check(const Call& call, std::initializer_list<const char*> like_x, std::initializer_list<const char*> parameters,
           std::initializer_list<const char*> statistics) {
  call.require_float("x");
  call.require_rank("x", 2);
  require_like_x(call, like_x);
  const std::vector<std::int64_t> shape = {call.array("x").shape[1]};
  require_parameters(call, parameters, shape);
  require_statistics(call, statistics, shape, "(C,) of x");
}

void batch_norm_forward(const Call& call) {
  check(call, {"y"}, {"weight", "bias"}, {"mean", "rstd", "running_mean", "running_var"});
  if (call.given("running_mean") != call.given("running_var")) call.refuse("running_mean and running_var go together");
  if (call.given("num_batches_tracked")) {
    call.require_dtype("num_batches_tracked", {DType::int64});
    call.require_shape("num_batches_tracked", {}, "one number");
  }
  const bool average = !call.given("momentum");
  if (average && !call.given("num_batches_tracked")) call.refuse("momentum None needs num_batches_tracked, got None");
  const ArrayView& x = call.array("x");
  const ChannelTiles tiles = tiles_of(x);
  const BatchNormTracking tracking{call.array("running_mean"), call.array("running_var"),
                                   call.array("num_batches_tracked"), average, average ? 0 : call.real("momentum")};
  launch_batch_norm_forward(x, call.array("weight"), call.array("bias"), call.array("y"), call.array("mean"),
                            call.array("rstd"), tracking, call.real("eps"), tiles,
                            moments_scratch(call, tiles), call.stream());
}

void batch_norm_inference(const Call& call) {
  check(call, {"y"}, {"weight", "bias"}, {"running_mean", "running_var"});
  const ArrayView& x = call.array("x");
  const GroupStatistics statistics{call.array("running_mean").data, call.array("running_var").data, x.shape[1], true,
                                   call.real("eps")};
  launch_normalise(x, statistics, call.array("weight"), call.array("bias"), call.array("y"), tiles_of(x), ArrayView(),
                   call.stream());
}

void run_backward(const Call& call, const GroupStatistics& statistics, bool of_batch) {
  const ArrayView& x = call.array("x");
  const ChannelTiles tiles = tiles_of(x);
  launch_batch_norm_backward(call.array("dy"), x, statistics, of_batch, call.array("weight"), call.array("dx"),
                             call.array("dweight"), call.array("dbias"), tiles,
                             numbers_scratch(call, 2 * tiles.partials() + 2 * x.shape[1]), call.stream());
}

void batch_norm_backward(const Call& call) {
  check(call, {"dy", "dx"}, {"weight", "dweight", "dbias"}, {"mean", "rstd"});
  run_backward(call, {call.array("mean").data, call.array("rstd").data, call.array("x").shape[1]}, true);
}

void batch_norm_inference_backward(const Call& call) {
  check(call, {"dy", "dx"}, {"weight", "dweight", "dbias"}, {"running_mean", "running_var"});
  run_backward(call,
               {call.array("running_mean").data, call.array("running_var").data, call.array("x").shape[1], true,
                call.real("eps")},
               false);
}

}  // namespace

void bind_batch_norm(Operators& operators) {
  operators.push_back({"batch_norm_forward",
                       {{"x", Access::read},
                        {"weight", Access::read, kOptional},
                        {"bias", Access::read, kOptional},
                        {"y", Access::write},
                        {"mean", Access::write},
                        {"rstd", Access::write},
                        {"running_mean", Access::update, kOptional},
                        {"running_var", Access::update, kOptional},
                        {"num_batches_tracked", Access::update, kOptional}},
                       {{"momentum", NumberKind::real, 1, true}, {"eps", NumberKind::real}},
                       batch_norm_forward});
  operators.push_back({"batch_norm_inference",
                       {{"x", Access::read},
                        {"running_mean", Access::read},
                        {"running_var", Access::read},
                        {"weight", Access::read, kOptional},
                        {"bias", Access::read, kOptional},
                        {"y", Access::write}},
                       {{"eps", NumberKind::real}},
                       batch_norm_inference});
  operators.push_back({"batch_norm_backward", backward_arrays("mean", "rstd"), {}, batch_norm_backward});
  operators.push_back({"batch_norm_inference_backward",
                       backward_arrays("running_mean", "running_var"),
                       {{"eps", NumberKind::real}},
                       batch_norm_inference_backward});
}
