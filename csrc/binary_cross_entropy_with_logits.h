// Binary cross entropy of logits; weight, pos_weight: (M,) or null.
#pragma once

#include "losses.h"

void launch_binary_cross_entropy_with_logits_forward(const LossForward& call, const ArrayView& weight,
                                                     const ArrayView& pos_weight);
void launch_binary_cross_entropy_with_logits_backward(const LossBackward& call, const ArrayView& weight,
                                                      const ArrayView& pos_weight);
