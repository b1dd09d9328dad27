// Arrays side by side, and cut again: copies.
#pragma once

#include <vector>

#include "array_view.h"
#include "simt/stream.h"

void launch_concat_forward(const std::vector<ArrayView>& arrays,  // each (M, K_i)
                           const ArrayView& y,                    // (M, sum of K_i)
                           simt::Stream stream);

void launch_concat_backward(const ArrayView& dy,                      // (M, sum of K_i)
                            const std::vector<ArrayView>& gradients,  // each (M, K_i)
                            simt::Stream stream);
