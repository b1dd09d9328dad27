// Softplus: log(1 + exp(beta x)) / beta, the line x above the threshold.
#include "softplus.h"

#include "device/elementwise.h"

namespace {

struct SoftplusForward {
  double beta;
  double threshold;

  template <class A>
  __device__ __forceinline__ A operator()(A x) const {
    const A z = x * A(beta);
    return z > A(threshold) ? x : (nan_max(z, A(0)) + log1p(exp(-fabs(z)))) * A(1 / beta);
  }
};

struct SoftplusBackward {
  double beta;
  double threshold;

  template <class A>
  __device__ __forceinline__ A operator()(A dy, A x) const {
    const A z = x * A(beta);
    return z > A(threshold) ? dy : dy * (A(1) / (A(1) + exp(-z)));
  }
};

}  // namespace

// ---- launchers

void launch_softplus_forward(const ArrayView& x, const ArrayView& y, double beta, double threshold,
                             simt::Stream stream) {
  launch_elementwise(SoftplusForward{beta, threshold}, y, stream, x);
  CHECK_LAUNCH("softplus_forward");
}

void launch_softplus_backward(const ArrayView& dy, const ArrayView& x, const ArrayView& dx, double beta,
                              double threshold, simt::Stream stream) {
  launch_elementwise(SoftplusBackward{beta, threshold}, dx, stream, dy, x);
  CHECK_LAUNCH("softplus_backward");
}
