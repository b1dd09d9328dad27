// Bindings of the losses over elements, which differ in their extra arrays and numbers only; all arrays are flat.
#include "binary_cross_entropy.h"
#include "binary_cross_entropy_with_logits.h"
#include "bindings.h"
#include "huber_loss.h"
#include "kl_div.h"
#include "l1_loss.h"
#include "mse_loss.h"
#include "smooth_l1_loss.h"

namespace {

using Extras = std::initializer_list<const char*>;

std::vector<ArrayArgument> inputs(Extras extras) {
  std::vector<ArrayArgument> arrays = {{"prediction", Access::read}, {"target", Access::read}};
  for (const char* extra : extras) arrays.push_back({extra, Access::read, kOptional});
  return arrays;
}

std::vector<NumberArgument> with_scale(std::vector<NumberArgument> numbers) {
  numbers.insert(numbers.begin(), {"scale", NumberKind::real});
  return numbers;
}

Operator forward(const char* name, Extras extras, std::vector<NumberArgument> numbers, void (*run)(const Call&)) {
  std::vector<ArrayArgument> arrays = inputs(extras);
  arrays.push_back({"loss", Access::write, kOptional});
  arrays.push_back({"value", Access::write, kOptional});
  return {name, std::move(arrays), with_scale(std::move(numbers)), run};
}

Operator backward(const char* name, Extras extras, std::vector<NumberArgument> numbers, void (*run)(const Call&)) {
  std::vector<ArrayArgument> arrays = inputs(extras);
  arrays.push_back({"gradient", Access::read});
  arrays.push_back({"dx", Access::write});
  return {name, std::move(arrays), with_scale(std::move(numbers)), run};
}

void check_like_prediction(const Call& call, const char* name) {
  call.require_same_dtype({"prediction", name});
  call.require_same_shape({"prediction", name});
}

void check_inputs(const Call& call, Extras extras) {
  call.require_float("prediction");
  call.require_rank("prediction", 1);
  check_like_prediction(call, "target");
  for (const char* extra : extras) {
    if (call.given(extra)) check_like_prediction(call, extra);
  }
}

LossForward checked_forward(const Call& call, Extras extras) {
  check_inputs(call, extras);
  const ArrayView& prediction = call.array("prediction");
  if (call.given("loss") == call.given("value")) call.refuse("either loss or value must be given");
  double* partials = nullptr;
  if (call.given("loss")) {
    check_like_prediction(call, "loss");
  } else {
    call.require_same_dtype({"prediction", "value"});
    call.require_shape("value", {1}, "one number");
    const std::int64_t blocks = loss_blocks(prediction);
    if (blocks > 1) partials = static_cast<double*>(call.scratch(static_cast<std::size_t>(blocks) * sizeof(double)));
  }
  return {prediction,        call.array("target"), call.array("loss"), call.array("value"),
          call.real("scale"), partials,             call.stream()};
}

LossBackward checked_backward(const Call& call, Extras extras) {
  check_inputs(call, extras);
  check_like_prediction(call, "dx");
  call.require_same_dtype({"prediction", "gradient"});
  if (call.array("gradient").shape != std::vector<std::int64_t>{1}) check_like_prediction(call, "gradient");
  return {call.array("prediction"), call.array("target"), call.array("gradient"),
          call.array("dx"),         call.real("scale"),   call.stream()};
}

bool log_target(const Call& call) { return call.integer("log_target", 0, 1) != 0; }

}  // namespace

void bind_losses(Operators& operators) {
  operators.push_back(forward("mse_loss_forward", {}, {},
                              [](const Call& call) { launch_mse_loss_forward(checked_forward(call, {})); }));
  operators.push_back(backward("mse_loss_backward", {}, {},
                               [](const Call& call) { launch_mse_loss_backward(checked_backward(call, {})); }));
  operators.push_back(forward("l1_loss_forward", {}, {},
                              [](const Call& call) { launch_l1_loss_forward(checked_forward(call, {})); }));
  operators.push_back(backward("l1_loss_backward", {}, {},
                               [](const Call& call) { launch_l1_loss_backward(checked_backward(call, {})); }));
  operators.push_back(forward("smooth_l1_loss_forward", {}, {{"beta", NumberKind::real}}, [](const Call& call) {
    launch_smooth_l1_loss_forward(checked_forward(call, {}), call.real("beta"));
  }));
  operators.push_back(backward("smooth_l1_loss_backward", {}, {{"beta", NumberKind::real}}, [](const Call& call) {
    launch_smooth_l1_loss_backward(checked_backward(call, {}), call.real("beta"));
  }));
  operators.push_back(forward("huber_loss_forward", {}, {{"delta", NumberKind::real}}, [](const Call& call) {
    launch_huber_loss_forward(checked_forward(call, {}), call.real("delta"));
  }));
  operators.push_back(backward("huber_loss_backward", {}, {{"delta", NumberKind::real}}, [](const Call& call) {
    launch_huber_loss_backward(checked_backward(call, {}), call.real("delta"));
  }));
  operators.push_back(forward("kl_div_forward", {}, {{"log_target", NumberKind::integer}}, [](const Call& call) {
    launch_kl_div_forward(checked_forward(call, {}), log_target(call));
  }));
  operators.push_back(backward("kl_div_backward", {}, {{"log_target", NumberKind::integer}}, [](const Call& call) {
    launch_kl_div_backward(checked_backward(call, {}), log_target(call));
  }));
  operators.push_back(forward("binary_cross_entropy_forward", {"weight"}, {}, [](const Call& call) {
    launch_binary_cross_entropy_forward(checked_forward(call, {"weight"}), call.array("weight"));
  }));
  operators.push_back(backward("binary_cross_entropy_backward", {"weight"}, {}, [](const Call& call) {
    launch_binary_cross_entropy_backward(checked_backward(call, {"weight"}), call.array("weight"));
  }));
  operators.push_back(
      forward("binary_cross_entropy_with_logits_forward", {"weight", "pos_weight"}, {}, [](const Call& call) {
        launch_binary_cross_entropy_with_logits_forward(checked_forward(call, {"weight", "pos_weight"}),
                                                        call.array("weight"), call.array("pos_weight"));
      }));
  operators.push_back(
      backward("binary_cross_entropy_with_logits_backward", {"weight", "pos_weight"}, {}, [](const Call& call) {
        launch_binary_cross_entropy_with_logits_backward(checked_backward(call, {"weight", "pos_weight"}),
                                                         call.array("weight"), call.array("pos_weight"));
      }));
}
