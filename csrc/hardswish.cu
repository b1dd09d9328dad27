// Hard swish.
#include "hardswish.h"

#include "device/elementwise.h"

namespace {

struct HardswishForward {
  template <class A>
  __device__ __forceinline__ A operator()(A x) const {
    return clamp(x + A(3), A(0), A(6)) * x * A(1.0 / 6);
  }
};

struct HardswishBackward {
  template <class A>
  __device__ __forceinline__ A operator()(A dy, A x) const {
    const A sixth = x * A(1.0 / 6);
    return dy * (clamp(sixth + A(0.5), A(0), A(1)) + (fabs(x) < A(3) ? sixth : A(0)));
  }
};

}  // namespace

// ---- launchers

void launch_hardswish_forward(const ArrayView& x, const ArrayView& y, simt::Stream stream) {
  launch_elementwise(HardswishForward{}, y, stream, x);
  CHECK_LAUNCH("hardswish_forward");
}

void launch_hardswish_backward(const ArrayView& dy, const ArrayView& x, const ArrayView& dx, simt::Stream stream) {
  launch_elementwise(HardswishBackward{}, dx, stream, dy, x);
  CHECK_LAUNCH("hardswish_backward");
}
