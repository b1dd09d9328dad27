// 2-D convolution in three directions. A transposed convolution is one in another direction, and a linear layer one of
// images of a single row with windows of a single pixel: they call these launchers too.
#pragma once

#include <cstddef>

#include "array_view.h"
#include "conv2d_shape.h"
#include "simt/stream.h"

// y = x correlated with weight, plus bias (K,) where that has memory.
void launch_conv2d_forward(const ArrayView& x, const ArrayView& weight, const ArrayView& bias, const ArrayView& y,
                           const Conv2dShape& shape, simt::Stream stream);

// dx = the gradient of x, plus bias (C,) where that has memory: a transposed convolution of dy.
void launch_conv2d_backward_data(const ArrayView& dy, const ArrayView& weight, const ArrayView& bias,
                                 const ArrayView& dx, const Conv2dShape& shape, simt::Stream stream);

// dweight = the gradient of weight. `scratch` is conv2d_backward_weight_scratch bytes, which may be none.
void launch_conv2d_backward_weight(const ArrayView& dy, const ArrayView& x, const ArrayView& dweight, void* scratch,
                                   const Conv2dShape& shape, simt::Stream stream);
std::size_t conv2d_backward_weight_scratch(const Conv2dShape& shape, DType dtype);
