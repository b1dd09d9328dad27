// Stochastic gradient descent: one step of many tensors in one launch.
#pragma once

#include "segments.h"

void launch_sgd_step(const SegmentTable& table, const ArrayView& grad, const ArrayView& param,
                     const ArrayView& momentum_buffer, simt::Stream stream);
