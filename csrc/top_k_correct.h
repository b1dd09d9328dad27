// How many rows have their target among the k largest scores; counts are added to.
#pragma once

#include "array_view.h"
#include "simt/stream.h"

void launch_top_k_correct(const ArrayView& prediction,  // (M, C) scores, or (M,) int64 labels where k is 1
                          const ArrayView& target,      // (M,) int64
                          const ArrayView& counts,      // (2,) int64: correct, counted
                          std::int64_t k, bool ignores, std::int64_t ignore_index, simt::Stream stream);
