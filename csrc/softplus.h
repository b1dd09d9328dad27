// Softplus: log(1 + exp(beta x)) / beta, the line x above the threshold.
#pragma once

#include "array_view.h"
#include "simt/stream.h"

void launch_softplus_forward(const ArrayView& x, const ArrayView& y, double beta, double threshold,
                             simt::Stream stream);
void launch_softplus_backward(const ArrayView& dy, const ArrayView& x, const ArrayView& dx, double beta,
                              double threshold, simt::Stream stream);
