// Huber loss: a parabola up to delta, a line beyond.
#pragma once

#include "losses.h"

void launch_huber_loss_forward(const LossForward& call, double delta);
void launch_huber_loss_backward(const LossBackward& call, double delta);
