// Negative log likelihood of rows.
#pragma once

#include "array_view.h"
#include "simt/stream.h"

void launch_nll_loss_forward(const ArrayView& x,        // (M, C)
                             const ArrayView& target,   // (M,) int64
                             const ArrayView& weight,   // (C,) or null
                             const ArrayView& loss,     // (M,), type of the sums
                             const ArrayView& counted,  // (M,), as loss
                             const ArrayView& dx,       // (M, C) or null
                             std::int64_t ignore_index, simt::Stream stream);
