// Leaky rectified linear unit.
#pragma once

#include "array_view.h"
#include "simt/stream.h"

void launch_leaky_relu_forward(const ArrayView& x, const ArrayView& y, double negative_slope, simt::Stream stream);
void launch_leaky_relu_backward(const ArrayView& dy, const ArrayView& x, const ArrayView& dx, double negative_slope,
                                simt::Stream stream);
