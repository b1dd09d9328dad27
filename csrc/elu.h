// Exponential linear unit.
#pragma once

#include "array_view.h"
#include "simt/stream.h"

void launch_elu_forward(const ArrayView& x, const ArrayView& y, double alpha, simt::Stream stream);
void launch_elu_backward(const ArrayView& dy, const ArrayView& y, const ArrayView& dx, double alpha,
                         simt::Stream stream);
