// Hyperbolic tangent.
#include "tanh.h"

#include "device/elementwise.h"

namespace {

struct TanhForward {
  template <class A>
  __device__ __forceinline__ A operator()(A x) const {
    return tanh(x);
  }
};

struct TanhBackward {
  template <class A>
  __device__ __forceinline__ A operator()(A dy, A y) const {
    return dy * (A(1) - y * y);
  }
};

}  // namespace

// ---- launchers

void launch_tanh_forward(const ArrayView& x, const ArrayView& y, simt::Stream stream) {
  launch_elementwise(TanhForward{}, y, stream, x);
  CHECK_LAUNCH("tanh_forward");
}

void launch_tanh_backward(const ArrayView& dy, const ArrayView& y, const ArrayView& dx, simt::Stream stream) {
  launch_elementwise(TanhBackward{}, dx, stream, dy, y);
  CHECK_LAUNCH("tanh_backward");
}
