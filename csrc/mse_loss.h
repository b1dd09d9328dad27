// Squared error.
#pragma once

#include "losses.h"

void launch_mse_loss_forward(const LossForward& call);
void launch_mse_loss_backward(const LossBackward& call);
