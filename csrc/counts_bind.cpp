// Bindings of what is counted over samples: right ones, confused classes, sums.
#include "bindings.h"
#include "confusion_counts.h"
#include "sum_and_count.h"
#include "top_k_correct.h"

namespace {

// Scores (M, C) or labels (M,) against target (M,); counts is int64.
void check_classes(const Call& call) {
  const ArrayView& prediction = call.array("prediction");
  call.require_dtype("target", {DType::int64});
  call.require_dtype("counts", {DType::int64});
  call.require_rank("target", 1);
  if (prediction.dtype == DType::int64) {
    call.require_same_shape({"target", "prediction"});
  } else {
    call.require_float("prediction");
    call.require_rank("prediction", 2);
    call.require_shape("target", {prediction.shape[0]}, "one index per row of prediction");
    if (prediction.shape[1] == 0) call.refuse("prediction must have at least one class");
  }
}

std::int64_t ignore_index(const Call& call) {
  return call.given("ignore_index") ? call.integers("ignore_index")[0] : 0;
}

void top_k_correct(const Call& call) {
  check_classes(call);
  call.require_shape("counts", {2}, "correct and counted");
  const ArrayView& prediction = call.array("prediction");
  const std::int64_t k = call.integer("k", 1, prediction.dtype == DType::int64 ? 1 : prediction.shape[1]);
  launch_top_k_correct(prediction, call.array("target"), call.array("counts"), k, call.given("ignore_index"),
                       ignore_index(call), call.stream());
}

void confusion_counts(const Call& call) {
  check_classes(call);
  const ArrayView& prediction = call.array("prediction");
  call.require_rank("counts", 2);
  const std::int64_t classes = call.array("counts").shape[0];
  call.require_shape("counts", {classes, classes}, "true and predicted class");
  if (prediction.dtype != DType::int64) {
    call.require_shape("prediction", {prediction.shape[0], classes}, "a score for each class of counts");
  }
  launch_confusion_counts(prediction, call.array("target"), call.array("counts"), call.given("ignore_index"),
                          ignore_index(call), call.stream());
}

void sum_and_count(const Call& call) {
  const ArrayView& values = call.array("values");
  call.require_float("values");
  call.require_rank("values", 2);
  call.require_dtype("sums", {DType::float64});
  call.require_shape("sums", {2}, "sum and count");
  double* terms = nullptr;
  if (values.size > 0 && values.shape[1] != 1) {
    terms = static_cast<double*>(call.scratch(static_cast<std::size_t>(values.shape[0]) * sizeof(double)));
  }
  launch_sum_and_count(values, call.array("sums"), call.real("weight"), terms, call.stream());
}

}  // namespace

void bind_counts(Operators& operators) {
  const std::vector<ArrayArgument> classes = {
      {"prediction", Access::read}, {"target", Access::read}, {"counts", Access::update}};
  const NumberArgument ignored{"ignore_index", NumberKind::integer, 1, true};
  operators.push_back({"top_k_correct", classes, {{"k", NumberKind::integer}, ignored}, top_k_correct});
  operators.push_back({"confusion_counts", classes, {ignored}, confusion_counts});
  operators.push_back({"sum_and_count",
                       {{"values", Access::read}, {"sums", Access::update}},
                       {{"weight", NumberKind::real}},
                       sum_and_count});
}
