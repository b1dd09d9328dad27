// Rectified linear unit; NaN passes.
#include "relu.h"

#include "device/elementwise.h"

namespace {

struct ReluForward {
  template <class A>
  __device__ __forceinline__ A operator()(A x) const {
    return x < A(0) ? A(0) : x;
  }
};

struct ReluBackward {
  template <class A>
  __device__ __forceinline__ A operator()(A dy, A y) const {
    return y <= A(0) ? A(0) : dy;
  }
};

}  // namespace

// ---- launchers

void launch_relu_forward(const ArrayView& x, const ArrayView& y, simt::Stream stream) {
  launch_elementwise(ReluForward{}, y, stream, x);
  CHECK_LAUNCH("relu_forward");
}

void launch_relu_backward(const ArrayView& dy, const ArrayView& y, const ArrayView& dx, simt::Stream stream) {
  launch_elementwise(ReluBackward{}, dx, stream, dy, y);
  CHECK_LAUNCH("relu_backward");
}
