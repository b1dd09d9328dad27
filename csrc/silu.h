// Sigmoid linear unit.
#pragma once

#include "array_view.h"
#include "simt/stream.h"

void launch_silu_forward(const ArrayView& x, const ArrayView& y, simt::Stream stream);
void launch_silu_backward(const ArrayView& dy, const ArrayView& x, const ArrayView& dx, simt::Stream stream);
