// The tables of the optimizer steps.
#include "segments.h"

namespace {

void check_flat(const Call& call, std::initializer_list<const char*> arrays) {
  call.require_float("grad");
  call.require_rank("grad", 1);
  for (const char* name : arrays) {
    if (!call.given(name)) continue;
    call.require_same_dtype({"grad", name});
    call.require_same_shape({"grad", name});
  }
}

void check_tables(const Call& call, std::int64_t hyperparameters) {
  call.require_dtype("segments", {DType::int64});
  call.require_dtype("hyperparameters", {DType::float64});
  call.require_rank("segments", 2);
  const std::int64_t count = call.array("segments").shape[0];
  call.require_shape("segments", {count, 3}, "offset, length and step of each segment");
  call.require_shape("hyperparameters", {count, hyperparameters}, "one row per segment");
  const std::int64_t size = call.array("grad").size;
  const auto* segments = call.array("segments").as<const std::int64_t>();
  for (std::int64_t i = 0; i < count; i++) {
    const std::int64_t offset = segments[3 * i], length = segments[3 * i + 1];
    if (offset < 0 || length < 0 || offset > size || length > size - offset) {
      call.refuse("segment " + std::to_string(i) + " must lie in [0, " + std::to_string(size) + "), got offset " +
                  std::to_string(offset) + " and length " + std::to_string(length));
    }
  }
}

}  // namespace

SegmentTable segment_table(const Call& call, std::initializer_list<const char*> arrays, std::int64_t hyperparameters,
                           void (*fill)(const double*, double, double*)) {
  check_flat(call, arrays);
  check_tables(call, hyperparameters);
  const ArrayView& segments = call.array("segments");
  const std::int64_t count = segments.shape[0], vector = 16 / dtype_bytes(call.array("grad").dtype);
  std::vector<SegmentRow> rows(static_cast<std::size_t>(count));
  std::int64_t blocks = 0;
  for (std::int64_t i = 0; i < count; i++) {
    const auto* segment = segments.as<const std::int64_t>() + 3 * i;
    SegmentRow& row = rows[static_cast<std::size_t>(i)];
    row.offset = segment[0];
    row.length = segment[1];
    row.first_block = blocks;
    fill(call.array("hyperparameters").as<const double>() + hyperparameters * i, static_cast<double>(segment[2]),
         row.numbers);
    if (row.length == 0) continue;
    const std::int64_t groups = ceil_div(row.offset + row.length, vector) - row.offset / vector;
    blocks += ceil_div(groups, kSegmentThreads);
  }
  const void* uploaded = blocks ? call.upload(rows.data(), rows.size() * sizeof rows[0]) : nullptr;
  return {static_cast<const SegmentRow*>(uploaded), count, blocks};
}

void require_state(const Call& call, const char* state, std::int64_t column) {
  if (call.given(state)) return;
  const ArrayView& table = call.array("hyperparameters");
  for (std::int64_t i = 0; i < table.shape[0]; i++) {
    if (table.as<const double>()[i * table.shape[1] + column] != 0) {
      call.refuse("a hyperparameter of segment " + std::to_string(i) + " needs " + state + ", got None");
    }
  }
}
