// Gradient of a bias: the sum of dy over all axes but that of the channels.
#pragma once

#include <cstddef>

#include "array_view.h"
#include "simt/stream.h"

// Bytes that launch_backward_bias needs in `scratch`.
std::size_t backward_bias_scratch(const ArrayView& dy, const ArrayView& dbias);

void launch_backward_bias(const ArrayView& dy,     // (..., C) in memory
                          const ArrayView& dbias,  // (C,)
                          void* scratch, simt::Stream stream);
