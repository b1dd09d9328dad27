// Depthwise convolution: every channel of x has filters of its own, K / C of them (groups == C).
#pragma once

#include <cstddef>

#include "array_view.h"
#include "conv2d_shape.h"
#include "simt/stream.h"

// Whether these launchers take the shape.
inline bool is_depthwise(const Conv2dShape& shape) { return shape.groups > 1 && shape.groups == shape.C; }

// y = x correlated with weight, plus bias (K,) where that has memory. The arrays are stored channels-last, so weight is
// (K, R, S) in memory.
void launch_conv2d_depthwise_forward(const ArrayView& x, const ArrayView& weight, const ArrayView& bias,
                                     const ArrayView& y, const Conv2dShape& shape, simt::Stream stream);

// dx = the gradient of x, plus bias (C,) where that has memory: a transposed convolution of dy.
void launch_conv2d_depthwise_backward_data(const ArrayView& dy, const ArrayView& weight, const ArrayView& bias,
                                           const ArrayView& dx, const Conv2dShape& shape, simt::Stream stream);

// dweight = the gradient of weight. `scratch` is conv2d_depthwise_backward_weight_scratch bytes, which may be none.
void launch_conv2d_depthwise_backward_weight(const ArrayView& dy, const ArrayView& x, const ArrayView& dweight,
                                             void* scratch, const Conv2dShape& shape, simt::Stream stream);
std::size_t conv2d_depthwise_backward_weight_scratch(const Conv2dShape& shape, DType dtype);
