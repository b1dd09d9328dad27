// Dropout of elements, the mask drawn anew from counters at every call.
#pragma once

#include "array_view.h"
#include "simt/stream.h"

void launch_dropout(const ArrayView& x, const ArrayView& y, double p, std::uint64_t seed, std::uint64_t stream,
                    simt::Stream cuda_stream);
