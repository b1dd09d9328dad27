// The tables of the optimizer steps: which span of the flat arrays takes which hyperparameters, all in device memory.
#pragma once

#include <cstdint>
#include <initializer_list>

#include "operator.h"

constexpr int kSegmentNumbers = 9;
constexpr int kSegmentThreads = 256;  // of a block of the step

// One segment as the kernel of the step reads it. Spans are cut into blocks of the grid; `first_block` is the
// segment's first.
struct SegmentRow {
  std::int64_t offset, length, first_block;
  double numbers[kSegmentNumbers];
};

struct SegmentTable {
  const std::int64_t* segments;  // (count, 3): offset, length, row of hyperparameters
  const double* hyperparameters;  // (groups, columns)
  std::int64_t* steps;           // (count,)
  std::int64_t count, groups, columns;
  unsigned given;    // bit k: the caller has state k
  SegmentRow* rows;  // (count + 1,) scratch memory; the last says how many blocks there are
};

// Checks the arrays of an optimizer step. states: those after param, None left out.
SegmentTable segment_table(const Call& call, std::initializer_list<const char*> states, std::int64_t columns);
