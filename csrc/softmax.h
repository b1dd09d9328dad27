// Softmax and its logarithm over rows.
#pragma once

#include "array_view.h"
#include "simt/stream.h"

void launch_softmax_forward(const ArrayView& x,  // (rows, extent)
                            const ArrayView& y, simt::Stream stream);
void launch_softmax_backward(const ArrayView& dy,  // (rows, extent)
                             const ArrayView& y, const ArrayView& dx, simt::Stream stream);
void launch_log_softmax_forward(const ArrayView& x,  // (rows, extent)
                                const ArrayView& y, simt::Stream stream);
void launch_log_softmax_backward(const ArrayView& dy,  // (rows, extent)
                                 const ArrayView& y, const ArrayView& dx, simt::Stream stream);
