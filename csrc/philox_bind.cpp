// Bindings of random numbers.
#include "bindings.h"
#include "philox.h"

namespace {

const std::vector<NumberArgument> kPlace = {
    {"seed", NumberKind::counter}, {"stream", NumberKind::counter}, {"start", NumberKind::counter}};

using Launch = void (*)(const ArrayView&, std::uint64_t, std::uint64_t, std::uint64_t, simt::Stream);

void run_sequence(const Call& call, Launch launch) {
  call.require_rank("out", 1);
  launch(call.array("out"), call.counter("seed"), call.counter("stream"), call.counter("start"), call.stream());
}

void philox_uint32(const Call& call) {
  call.require_dtype("out", {DType::uint32});
  run_sequence(call, launch_philox_uint32);
}

void philox_uniform(const Call& call) {
  call.require_dtype("out", {DType::float32, DType::float64});
  run_sequence(call, launch_philox_uniform);
}

void philox_normal(const Call& call) {
  call.require_dtype("out", {DType::float32, DType::float64});
  run_sequence(call, launch_philox_normal);
}

void philox_uint32_rows(const Call& call) {
  call.require_dtype("rows", {DType::uint64});
  call.require_dtype("out", {DType::uint32});
  call.require_rank("rows", 1);
  call.require_rank("out", 2);
  const ArrayView& rows = call.array("rows");
  const ArrayView& out = call.array("out");
  call.require_shape("out", {rows.shape[0], out.shape[1]}, "one row for each of rows");
  launch_philox_uint32_rows(rows, out, call.counter("seed"), call.counter("stream"), call.stream());
}

}  // namespace

void bind_philox(Operators& operators) {
  operators.push_back({"philox_uint32", {{"out", Access::write}}, kPlace, philox_uint32});
  operators.push_back({"philox_uniform", {{"out", Access::write}}, kPlace, philox_uniform});
  operators.push_back({"philox_normal", {{"out", Access::write}}, kPlace, philox_normal});
  operators.push_back({"philox_uint32_rows",
                       {{"rows", Access::read}, {"out", Access::write}},
                       {{"seed", NumberKind::counter}, {"stream", NumberKind::counter}},
                       philox_uint32_rows});
}
