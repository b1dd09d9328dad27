// Binary cross entropy of probabilities.
#include "binary_cross_entropy.h"

#include "device/losses.h"

namespace {

// Logarithms are at least -100, so that a wrong certainty has a finite loss.
struct BinaryCrossEntropy {
  template <class A>
  __device__ __forceinline__ A operator()(A x, A t, A weight) const {
    const A positive = nan_max(A(log(x)), A(-100)), negative = nan_max(A(log1p(-x)), A(-100));
    return -((positive - negative) * t + negative) * weight;
  }
};

struct BinaryCrossEntropyDerivative {
  template <class A>
  __device__ __forceinline__ A operator()(A x, A t, A weight) const {
    return (x - t) / nan_max((A(1) - x) * x, A(1e-12f)) * weight;  // PyTorch's bound, a float32 in every dtype
  }
};

}  // namespace

// ---- launchers

void launch_binary_cross_entropy_forward(const LossForward& call, const ArrayView& weight) {
  launch_loss_forward(BinaryCrossEntropy{}, call, weight);
  CHECK_LAUNCH("binary_cross_entropy_forward");
}

void launch_binary_cross_entropy_backward(const LossBackward& call, const ArrayView& weight) {
  launch_loss_backward(BinaryCrossEntropyDerivative{}, call, weight);
  CHECK_LAUNCH("binary_cross_entropy_backward");
}
