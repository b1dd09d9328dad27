// Every *_bind.cpp adds its operators to the module's list; module.cpp calls them all.
#pragma once

#include "operator.h"

void bind_activations(Operators& operators);
void bind_adam(Operators& operators);
void bind_add(Operators& operators);
void bind_backward_bias(Operators& operators);
void bind_conv2d(Operators& operators);
void bind_dropout(Operators& operators);
void bind_dropout2d(Operators& operators);
void bind_gaussian_noise(Operators& operators);
void bind_linear(Operators& operators);
void bind_philox(Operators& operators);
void bind_rmsprop(Operators& operators);
void bind_sgd(Operators& operators);
