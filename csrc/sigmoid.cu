// Logistic sigmoid.
#include "sigmoid.h"

#include "device/elementwise.h"

namespace {

struct SigmoidForward {
  template <class A>
  __device__ __forceinline__ A operator()(A x) const {
    return A(1) / (A(1) + exp(-x));
  }
};

struct SigmoidBackward {
  template <class A>
  __device__ __forceinline__ A operator()(A dy, A y) const {
    return dy * ((A(1) - y) * y);
  }
};

}  // namespace

// ---- launchers

void launch_sigmoid_forward(const ArrayView& x, const ArrayView& y, simt::Stream stream) {
  launch_elementwise(SigmoidForward{}, y, stream, x);
  CHECK_LAUNCH("sigmoid_forward");
}

void launch_sigmoid_backward(const ArrayView& dy, const ArrayView& y, const ArrayView& dx, simt::Stream stream) {
  launch_elementwise(SigmoidBackward{}, dx, stream, dy, y);
  CHECK_LAUNCH("sigmoid_backward");
}
