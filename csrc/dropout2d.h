// Dropout of whole channels.
#pragma once

#include "array_view.h"
#include "simt/stream.h"

void launch_dropout2d(const ArrayView& x,  // (N, H * W, C)
                      const ArrayView& y, double p, std::uint64_t seed, std::uint64_t stream, simt::Stream cuda_stream);
