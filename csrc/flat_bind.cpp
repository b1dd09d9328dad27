// Binding of the passes over one flat array.
#include <cmath>

#include "bindings.h"
#include "flat.h"

namespace {

void require_flat(const Call& call) {
  call.require_float("x");
  call.require_rank("x", 1);
}

void fold_blocks(const Call& call, FlatFold fold, double power) {
  require_flat(call);
  call.require_dtype("partials", {DType::float64});
  call.require_shape("partials", {ceil_div(call.array("x").size, kFlatBlock)}, "one per block of 65536 elements");
  launch_flat_partials(call.array("x"), call.array("partials"), fold, power, call.stream());
}

FlatFold fold_of(double norm_type) {
  if (norm_type == 2) return FlatFold::squares;
  if (norm_type == 1) return FlatFold::magnitudes;
  if (norm_type == 0) return FlatFold::nonzero;
  if (norm_type == HUGE_VAL) return FlatFold::largest;
  if (norm_type == -HUGE_VAL) return FlatFold::smallest;
  return FlatFold::powers;
}

void flat_norm_partials(const Call& call) {
  const double norm_type = call.real("norm_type");
  fold_blocks(call, fold_of(norm_type), norm_type);
}

void flat_nonfinite_partials(const Call& call) { fold_blocks(call, FlatFold::nonfinite, 0); }

void require_number(const Call& call, const char* name) {
  call.require_dtype(name, {DType::float64});
  call.require_shape(name, {1}, "one number");
}

void flat_norm(const Call& call) {
  call.require_dtype("partials", {DType::float64});
  call.require_rank("partials", 1);
  require_number(call, "norm");
  const double norm_type = call.real("norm_type");
  launch_flat_norm(call.array("partials"), call.array("norm"), fold_of(norm_type), norm_type, call.stream());
}

void flat_clip_factor(const Call& call) {
  require_number(call, "norm");
  require_number(call, "factor");
  launch_flat_clip_factor(call.array("norm"), call.array("factor"), call.real("max_norm"), call.stream());
}

void flat_scale(const Call& call) {
  require_flat(call);
  require_number(call, "factor");
  launch_flat_scale(call.array("x"), call.array("factor"), call.stream());
}

void flat_clamp(const Call& call) {
  require_flat(call);
  launch_flat_clamp(call.array("x"), call.real("limit"), call.stream());
}

void flat_average(const Call& call) {
  require_flat(call);
  const bool wide = call.array("x").dtype == DType::float64;
  call.require_dtype("average", {wide ? DType::float64 : DType::float32});
  call.require_same_shape({"x", "average"});
  launch_flat_average(call.array("x"), call.array("average"), call.real("decay"), call.stream());
}

}  // namespace

void bind_flat(Operators& operators) {
  const ArrayArgument x{"x", Access::read}, changed{"x", Access::update}, partials{"partials", Access::write};
  const ArrayArgument norm{"norm", Access::write}, norm_read{"norm", Access::read};
  const ArrayArgument factor{"factor", Access::write}, factor_read{"factor", Access::read};
  operators.push_back({"flat_norm_partials", {x, partials}, {{"norm_type", NumberKind::real}}, flat_norm_partials});
  operators.push_back({"flat_nonfinite_partials", {x, partials}, {}, flat_nonfinite_partials});
  operators.push_back(
      {"flat_norm", {{"partials", Access::read}, norm}, {{"norm_type", NumberKind::real}}, flat_norm});
  operators.push_back(
      {"flat_clip_factor", {norm_read, factor}, {{"max_norm", NumberKind::real}}, flat_clip_factor});
  operators.push_back({"flat_scale", {changed, factor_read}, {}, flat_scale});
  operators.push_back({"flat_clamp", {changed}, {{"limit", NumberKind::real}}, flat_clamp});
  operators.push_back(
      {"flat_average", {x, {"average", Access::update}}, {{"decay", NumberKind::real}}, flat_average});
}
