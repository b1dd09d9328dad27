// The tables of the optimizer steps: which span of the flat arrays takes which hyperparameters, all in device memory.
#pragma once

#include <cstdint>
#include <initializer_list>

#include "operator.h"

struct SegmentTable {
  const std::int64_t* segments;   // (count, 3): offset, length, row of hyperparameters; offsets ascend
  const double* hyperparameters;  // (groups, columns)
  std::int64_t* steps;            // (count,)
  unsigned* ticket;               // (1,): blocks of the step that have read their counts; 0 between two steps
  std::int64_t count, groups, columns;
  unsigned given;  // bit k: the caller has state k
};

// Checks the arrays of an optimizer step. states: those after param, None left out.
SegmentTable segment_table(const Call& call, std::initializer_list<const char*> states, std::int64_t columns);
