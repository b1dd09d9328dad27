// Padding of images.
#pragma once

#include "array_view.h"
#include "simt/stream.h"

enum class PadMode { zeros, reflect, replicate, circular };

struct Pad2dShape {
  std::int64_t N, C, H, W;  // of x
  std::int64_t P, Q;        // of y
  std::int64_t left, top;   // where x lies in y
  PadMode mode;
};

void launch_pad2d_forward(const ArrayView& x,  // (N, C, H, W), channels-last
                          const ArrayView& y,  // (N, C, P, Q), channels-last
                          const Pad2dShape& shape, simt::Stream stream);

void launch_pad2d_backward(const ArrayView& dy,  // (N, C, P, Q), channels-last
                           const ArrayView& dx,  // (N, C, H, W), channels-last
                           const Pad2dShape& shape, simt::Stream stream);
