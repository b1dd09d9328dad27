// Every *_bind.cpp adds its operators to the module's list; module.cpp calls them all.
#pragma once

#include "operator.h"

void bind_activations(Operators& operators);
void bind_adam(Operators& operators);
void bind_adaptive_avg_pool2d(Operators& operators);
void bind_adaptive_max_pool2d(Operators& operators);
void bind_add(Operators& operators);
void bind_avg_pool2d(Operators& operators);
void bind_backward_bias(Operators& operators);
void bind_batch_norm(Operators& operators);
void bind_class_losses(Operators& operators);
void bind_concat(Operators& operators);
void bind_conv2d(Operators& operators);
void bind_counts(Operators& operators);
void bind_dropout(Operators& operators);
void bind_dropout2d(Operators& operators);
void bind_flat(Operators& operators);
void bind_gaussian_noise(Operators& operators);
void bind_global_avg_pool2d(Operators& operators);
void bind_group_norm(Operators& operators);
void bind_image_affine(Operators& operators);
void bind_image_augment(Operators& operators);
void bind_image_color(Operators& operators);
void bind_image_crop(Operators& operators);
void bind_image_erase(Operators& operators);
void bind_image_normalize(Operators& operators);
void bind_image_resize(Operators& operators);
void bind_layer_norm(Operators& operators);
void bind_layout(Operators& operators);
void bind_linear(Operators& operators);
void bind_losses(Operators& operators);
void bind_max_pool2d(Operators& operators);
void bind_pad(Operators& operators);
void bind_philox(Operators& operators);
void bind_rmsprop(Operators& operators);
void bind_sgd(Operators& operators);
void bind_softmax(Operators& operators);
