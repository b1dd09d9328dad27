// Smooth L1 loss: a parabola up to beta, a line beyond.
#pragma once

#include "losses.h"

void launch_smooth_l1_loss_forward(const LossForward& call, double beta);
void launch_smooth_l1_loss_backward(const LossBackward& call, double beta);
