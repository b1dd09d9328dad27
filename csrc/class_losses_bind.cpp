// Bindings of the losses of rows of class scores.
#include "bindings.h"
#include "cross_entropy.h"
#include "losses.h"
#include "nll_loss.h"

namespace {

// The type of the sums: float32, float64 for float64.
void require_sums(const Call& call, const char* name, const char* of) {
  call.require_dtype(name, {call.array(of).dtype == DType::float64 ? DType::float64 : DType::float32});
}

void check_rows(const Call& call) {
  call.require_float("x");
  call.require_rank("x", 2);
  const std::vector<std::int64_t>& shape = call.array("x").shape;
  if (shape[1] == 0) call.refuse("x must have at least one class");
  for (const char* name : {"loss", "counted"}) {
    require_sums(call, name, "x");
    call.require_shape(name, {shape[0]}, "one number per row of x");
  }
  if (call.given("weight")) {
    call.require_same_dtype({"x", "weight"});
    call.require_shape("weight", {shape[1]}, "the classes of x");
  }
  if (call.given("dx")) {
    call.require_same_dtype({"x", "dx"});
    call.require_same_shape({"x", "dx"});
  }
}

void check_indices(const Call& call) {
  call.require_dtype("target", {DType::int64});
  call.require_shape("target", {call.array("x").shape[0]}, "one index per row of x");
}

void cross_entropy_forward(const Call& call) {
  check_rows(call);
  if (call.array("target").dtype == DType::int64) {
    check_indices(call);
  } else {
    call.require_same_dtype({"x", "target"});
    call.require_same_shape({"x", "target"});
  }
  launch_cross_entropy_forward(call.array("x"), call.array("target"), call.array("weight"), call.array("loss"),
                               call.array("counted"), call.array("dx"), call.integers("ignore_index")[0],
                               call.real("label_smoothing"), call.stream());
}

void nll_loss_forward(const Call& call) {
  check_rows(call);
  check_indices(call);
  launch_nll_loss_forward(call.array("x"), call.array("target"), call.array("weight"), call.array("loss"),
                          call.array("counted"), call.array("dx"), call.integers("ignore_index")[0], call.stream());
}

void loss_reduce(const Call& call) {
  const ArrayView& loss = call.array("loss");
  call.require_float("value");
  call.require_rank("loss", 1);
  for (const char* name : {"loss", "counted", "factor"}) require_sums(call, name, "value");
  call.require_same_shape({"loss", "counted"});
  call.require_shape("factor", {1}, "one number");
  const auto reduction = static_cast<Reduction>(call.integer("reduction", 0, 2));
  double* partials = nullptr;
  if (reduction == Reduction::none) {
    call.require_same_shape({"loss", "value"});
  } else {
    call.require_shape("value", {1}, "one number");
    const auto blocks = static_cast<std::size_t>(loss_blocks(loss));
    if (blocks > 1) partials = static_cast<double*>(call.scratch(2 * blocks * sizeof(double)));
  }
  launch_loss_reduce(loss, call.array("counted"), call.array("value"), call.array("factor"), reduction, partials,
                     call.stream());
}

void scale_rows(const Call& call) {
  const ArrayView& dx = call.array("dx");
  call.require_float("dx");
  call.require_rank("dx", 2);
  call.require_same_dtype({"dx", "gradient"});
  if (call.array("gradient").shape != std::vector<std::int64_t>{1}) {
    call.require_shape("gradient", {dx.shape[0]}, "one number per row of dx, or one");
  }
  require_sums(call, "factor", "dx");
  call.require_shape("factor", {1}, "one number");
  launch_scale_rows(call.array("gradient"), call.array("factor"), dx, call.stream());
}

}  // namespace

void bind_class_losses(Operators& operators) {
  const std::vector<ArrayArgument> rows = {{"x", Access::read},
                                           {"target", Access::read},
                                           {"weight", Access::read, kOptional},
                                           {"loss", Access::write},
                                           {"counted", Access::write},
                                           {"dx", Access::write, kOptional}};
  operators.push_back({"cross_entropy_forward",
                       rows,
                       {{"ignore_index", NumberKind::integer}, {"label_smoothing", NumberKind::real}},
                       cross_entropy_forward});
  operators.push_back({"nll_loss_forward", rows, {{"ignore_index", NumberKind::integer}}, nll_loss_forward});
  operators.push_back({"loss_reduce",
                       {{"loss", Access::read},
                        {"counted", Access::read},
                        {"value", Access::write},
                        {"factor", Access::write}},
                       {{"reduction", NumberKind::integer}},
                       loss_reduce});
  operators.push_back({"scale_rows",
                       {{"gradient", Access::read}, {"factor", Access::read}, {"dx", Access::update}},
                       {},
                       scale_rows});
}
