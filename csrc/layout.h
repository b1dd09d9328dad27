// The same elements in the other memory order.
#pragma once

#include "array_view.h"
#include "simt/stream.h"

// x: (B, R, S) -> y: (B, S, R), C-contiguous, of one dtype.
void launch_transpose(const ArrayView& x, const ArrayView& y, std::int64_t R, std::int64_t S, simt::Stream stream);
