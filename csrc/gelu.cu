// Gaussian error linear unit, exact or in its tanh form.
#include "gelu.h"

#include "device/elementwise.h"

namespace {

// P(Z <= x) of a standard normal Z. By erfc of the negative side, so that the left tail keeps its digits.
template <class A>
__device__ __forceinline__ A normal_distribution(A x) {
  return A(0.5) * erfc(x * A(-0.70710678118654752));
}

constexpr double kScale = 0.79788456080286536;  // sqrt(2 / pi)
constexpr double kCube = 0.044715;

// (1 + tanh(u)) / 2 with u = sqrt(2 / pi) (x + 0.044715 x^3).
template <class A>
__device__ __forceinline__ A tanh_share(A x) {
  return A(0.5) * (A(1) + tanh(x * (A(kScale) + A(kScale * kCube) * x * x)));
}

struct GeluForward {
  template <class A>
  __device__ __forceinline__ A operator()(A x) const {
    return x * normal_distribution(x);
  }
};

struct GeluBackward {
  template <class A>
  __device__ __forceinline__ A operator()(A dy, A x) const {
    const A density = A(0.39894228040143268) * exp(A(-0.5) * x * x);
    return dy * (normal_distribution(x) + x * density);
  }
};

struct GeluTanhForward {
  template <class A>
  __device__ __forceinline__ A operator()(A x) const {
    return x * tanh_share(x);
  }
};

struct GeluTanhBackward {
  template <class A>
  __device__ __forceinline__ A operator()(A dy, A x) const {
    const A share = tanh_share(x);
    const A du = A(2 * kScale) + A(6 * kScale * kCube) * x * x;
    return dy * (share + x * du * share * (A(1) - share));
  }
};

}  // namespace

// ---- launchers

void launch_gelu_forward(const ArrayView& x, const ArrayView& y, bool tanh, simt::Stream stream) {
  if (tanh) {
    launch_elementwise(GeluTanhForward{}, y, stream, x);
  } else {
    launch_elementwise(GeluForward{}, y, stream, x);
  }
  CHECK_LAUNCH("gelu_forward");
}

void launch_gelu_backward(const ArrayView& dy, const ArrayView& x, const ArrayView& dx, bool tanh,
                          simt::Stream stream) {
  if (tanh) {
    launch_elementwise(GeluTanhBackward{}, dx, stream, dy, x);
  } else {
    launch_elementwise(GeluBackward{}, dx, stream, dy, x);
  }
  CHECK_LAUNCH("gelu_backward");
}
