// Exponential linear unit.
#include "elu.h"

#include "device/elementwise.h"

namespace {

struct EluForward {
  double alpha;

  template <class A>
  __device__ __forceinline__ A operator()(A x) const {
    return x > A(0) ? x : A(alpha) * expm1(x);
  }
};

struct EluBackward {
  double alpha;

  template <class A>
  __device__ __forceinline__ A operator()(A dy, A y) const {
    return y > A(0) ? dy : dy * (y + A(alpha));
  }
};

}  // namespace

// ---- launchers

void launch_elu_forward(const ArrayView& x, const ArrayView& y, double alpha, simt::Stream stream) {
  launch_elementwise(EluForward{alpha}, y, stream, x);
  CHECK_LAUNCH("elu_forward");
}

void launch_elu_backward(const ArrayView& dy, const ArrayView& y, const ArrayView& dx, double alpha,
                         simt::Stream stream) {
  launch_elementwise(EluBackward{alpha}, dx, stream, dy, y);
  CHECK_LAUNCH("elu_backward");
}
