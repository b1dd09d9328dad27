// Binary cross entropy of probabilities; weight: (M,) or null.
#pragma once

#include "losses.h"

void launch_binary_cross_entropy_forward(const LossForward& call, const ArrayView& weight);
void launch_binary_cross_entropy_backward(const LossBackward& call, const ArrayView& weight);
