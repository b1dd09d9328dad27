// Kullback-Leibler divergence.
#pragma once

#include "losses.h"

void launch_kl_div_forward(const LossForward& call, bool log_target);
void launch_kl_div_backward(const LossBackward& call, bool log_target);
