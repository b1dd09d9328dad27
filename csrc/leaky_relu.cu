// Leaky rectified linear unit.
#include "leaky_relu.h"

#include "device/elementwise.h"

namespace {

struct LeakyReluForward {
  double negative_slope;

  template <class A>
  __device__ __forceinline__ A operator()(A x) const {
    return x > A(0) ? x : x * A(negative_slope);
  }
};

struct LeakyReluBackward {
  double negative_slope;

  template <class A>
  __device__ __forceinline__ A operator()(A dy, A x) const {
    return x > A(0) ? dy : dy * A(negative_slope);
  }
};

}  // namespace

// ---- launchers

void launch_leaky_relu_forward(const ArrayView& x, const ArrayView& y, double negative_slope, simt::Stream stream) {
  launch_elementwise(LeakyReluForward{negative_slope}, y, stream, x);
  CHECK_LAUNCH("leaky_relu_forward");
}

void launch_leaky_relu_backward(const ArrayView& dy, const ArrayView& x, const ArrayView& dx, double negative_slope,
                                simt::Stream stream) {
  launch_elementwise(LeakyReluBackward{negative_slope}, dx, stream, dy, x);
  CHECK_LAUNCH("leaky_relu_backward");
}
