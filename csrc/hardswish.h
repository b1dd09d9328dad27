// Hard swish.
#pragma once

#include "array_view.h"
#include "simt/stream.h"

void launch_hardswish_forward(const ArrayView& x, const ArrayView& y, simt::Stream stream);
void launch_hardswish_backward(const ArrayView& dy, const ArrayView& x, const ArrayView& dx, simt::Stream stream);
