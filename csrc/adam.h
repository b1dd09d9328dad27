// Adam and AdamW: one step of many tensors in one launch.
#pragma once

#include "segments.h"

void launch_adam_step(const SegmentTable& table, const ArrayView& grad, const ArrayView& param,
                      const ArrayView& exp_avg, const ArrayView& exp_avg_sq, const ArrayView& max_exp_avg_sq,
                      simt::Stream stream);
