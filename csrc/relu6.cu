// Rectified linear unit with a bound; NaN passes.
#include "relu6.h"

#include "device/elementwise.h"

namespace {

struct Relu6Forward {
  template <class A>
  __device__ __forceinline__ A operator()(A x) const {
    return x < A(0) ? A(0) : x > A(6) ? A(6) : x;
  }
};

struct Relu6Backward {
  template <class A>
  __device__ __forceinline__ A operator()(A dy, A y) const {
    return y <= A(0) || y >= A(6) ? A(0) : dy;
  }
};

}  // namespace

// ---- launchers

void launch_relu6_forward(const ArrayView& x, const ArrayView& y, simt::Stream stream) {
  launch_elementwise(Relu6Forward{}, y, stream, x);
  CHECK_LAUNCH("relu6_forward");
}

void launch_relu6_backward(const ArrayView& dy, const ArrayView& y, const ArrayView& dx, simt::Stream stream) {
  launch_elementwise(Relu6Backward{}, dx, stream, dy, y);
  CHECK_LAUNCH("relu6_backward");
}
