// Absolute error.
#pragma once

#include "losses.h"

void launch_l1_loss_forward(const LossForward& call);
void launch_l1_loss_backward(const LossBackward& call);
