// The tables of the optimizer steps: which span of the flat arrays takes which numbers.
#pragma once

#include <cstdint>
#include <vector>

#include "operator.h"

constexpr int kSegmentNumbers = 9;
constexpr int kSegmentThreads = 256;  // of a block of the step

// One segment as its kernel reads it. Spans are cut into blocks of the grid; `first_block` is the segment's first.
struct SegmentRow {
  std::int64_t offset, length, first_block;
  double numbers[kSegmentNumbers];
};

struct SegmentTable {
  const SegmentRow* rows;  // where a kernel can read them
  std::int64_t count;
  std::int64_t blocks;  // of the whole step
};

// Checks the arrays of an optimizer step and cuts the segments. `fill` turns a row of hyperparameters and the step
// count into the numbers of the kernel. arrays: grad, param and the state, None left out.
SegmentTable segment_table(const Call& call, std::initializer_list<const char*> arrays, std::int64_t hyperparameters,
                           void (*fill)(const double* hyperparameters, double step, double* numbers));

// Refuses a call without `state` where some segment has a hyperparameter, its column, that needs it.
void require_state(const Call& call, const char* state, std::int64_t column);
