// A running sum of samples and how much it is of.
#pragma once

#include "array_view.h"
#include "simt/stream.h"

void launch_sum_and_count(const ArrayView& values,  // (N, D)
                          const ArrayView& sums,    // (2,) float64, added to
                          double weight,
                          double* terms,  // (N,), null where D is 1
                          simt::Stream stream);
