// Gaussian error linear unit, exact or in its tanh form.
#pragma once

#include "array_view.h"
#include "simt/stream.h"

void launch_gelu_forward(const ArrayView& x, const ArrayView& y, bool tanh, simt::Stream stream);
void launch_gelu_backward(const ArrayView& dy, const ArrayView& x, const ArrayView& dx, bool tanh, simt::Stream stream);
