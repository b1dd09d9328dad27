// RMSprop: one step of many tensors in one launch.
#pragma once

#include "segments.h"

void launch_rmsprop_step(const SegmentTable& table, const ArrayView& grad, const ArrayView& param,
                         const ArrayView& square_avg, const ArrayView& grad_avg, const ArrayView& momentum_buffer,
                         simt::Stream stream);
