// Rectified linear unit; NaN passes.
#pragma once

#include "array_view.h"
#include "simt/stream.h"

void launch_relu_forward(const ArrayView& x, const ArrayView& y, simt::Stream stream);
void launch_relu_backward(const ArrayView& dy, const ArrayView& y, const ArrayView& dx, simt::Stream stream);
