// Sigmoid linear unit.
#include "silu.h"

#include "device/elementwise.h"

namespace {

struct SiluForward {
  template <class A>
  __device__ __forceinline__ A operator()(A x) const {
    return x / (A(1) + exp(-x));
  }
};

struct SiluBackward {
  template <class A>
  __device__ __forceinline__ A operator()(A dy, A x) const {
    const A share = A(1) / (A(1) + exp(-x));
    return dy * (share * (A(1) + x * (A(1) - share)));
  }
};

}  // namespace

// ---- launchers

void launch_silu_forward(const ArrayView& x, const ArrayView& y, simt::Stream stream) {
  launch_elementwise(SiluForward{}, y, stream, x);
  CHECK_LAUNCH("silu_forward");
}

void launch_silu_backward(const ArrayView& dy, const ArrayView& x, const ArrayView& dx, simt::Stream stream) {
  launch_elementwise(SiluBackward{}, dx, stream, dy, x);
  CHECK_LAUNCH("silu_backward");
}
