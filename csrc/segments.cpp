// The tables of the optimizer steps.
#include "segments.h"

namespace {

void check_flat(const Call& call, std::initializer_list<const char*> states) {
  call.require_float("grad");
  call.require_rank("grad", 1);
  call.require_same_dtype({"grad", "param"});
  call.require_same_shape({"grad", "param"});
  for (const char* name : states) {
    if (!call.given(name)) continue;
    call.require_same_dtype({"grad", name});
    call.require_same_shape({"grad", name});
  }
}

void check_tables(const Call& call, std::int64_t columns) {
  call.require_dtype("segments", {DType::int64});
  call.require_dtype("hyperparameters", {DType::float64});
  call.require_dtype("steps", {DType::int64});
  call.require_dtype("ticket", {DType::uint32});
  call.require_rank("segments", 2);
  call.require_rank("hyperparameters", 2);
  const std::int64_t count = call.array("segments").shape[0], groups = call.array("hyperparameters").shape[0];
  call.require_shape("segments", {count, 3}, "offset, length and row of hyperparameters of each segment");
  call.require_shape("hyperparameters", {groups, columns}, "one row per group");
  call.require_shape("steps", {count}, "one per segment");
  call.require_shape("ticket", {1}, "a counter of the kernel");
}

}  // namespace

SegmentTable segment_table(const Call& call, std::initializer_list<const char*> states, std::int64_t columns) {
  check_flat(call, states);
  check_tables(call, columns);
  SegmentTable table{};
  table.segments = call.array("segments").as<const std::int64_t>();
  table.hyperparameters = call.array("hyperparameters").as<const double>();
  table.steps = call.array("steps").as<std::int64_t>();
  table.ticket = call.array("ticket").as<unsigned>();
  table.count = call.array("segments").shape[0];
  table.groups = call.array("hyperparameters").shape[0];
  table.columns = columns;
  unsigned bit = 1;
  for (const char* name : states) {
    if (call.given(name)) table.given |= bit;
    bit *= 2;
  }
  return table;
}
