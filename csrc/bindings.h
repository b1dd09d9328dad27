// Every *_bind.cpp adds its operators to the module's list; module.cpp calls them all.
#pragma once

#include "operator.h"

void bind_activations(Operators& operators);
void bind_adam(Operators& operators);
void bind_adaptive_avg_pool2d(Operators& operators);
void bind_adaptive_max_pool2d(Operators& operators);
void bind_add(Operators& operators);
void bind_avg_pool2d(Operators& operators);
void bind_dropout(Operators& operators);
void bind_dropout2d(Operators& operators);
void bind_gaussian_noise(Operators& operators);
void bind_global_avg_pool2d(Operators& operators);
void bind_image_affine(Operators& operators);
void bind_image_color(Operators& operators);
void bind_image_crop(Operators& operators);
void bind_image_erase(Operators& operators);
void bind_image_normalize(Operators& operators);
void bind_image_resize(Operators& operators);
void bind_max_pool2d(Operators& operators);
void bind_philox(Operators& operators);
void bind_rmsprop(Operators& operators);
void bind_sgd(Operators& operators);
