// Binary cross entropy of logits.
#include "binary_cross_entropy_with_logits.h"

#include "device/losses.h"

namespace {

// 1 + (pos_weight - 1) * t; without a pos_weight 1 for an infinite target too.
template <class A>
__device__ __forceinline__ A positive_factor(bool given, A t, A pos_weight) {
  return given ? (pos_weight - A(1)) * t + A(1) : A(1);
}

struct LogitsLoss {
  bool has_pos_weight;

  template <class A>
  __device__ __forceinline__ A operator()(A x, A t, A weight, A pos_weight) const {
    const A softplus = log1p(exp(-fabs(x))) - (x > A(0) ? A(0) : x);  // log(1 + exp(-x))
    return (softplus * positive_factor(has_pos_weight, t, pos_weight) + (A(1) - t) * x) * weight;
  }
};

struct LogitsDerivative {
  bool has_pos_weight;

  template <class A>
  __device__ __forceinline__ A operator()(A x, A t, A weight, A pos_weight) const {
    const A negative = A(1) / (exp(x) + A(1));  // sigmoid(-x)
    return ((A(1) - t) - negative * positive_factor(has_pos_weight, t, pos_weight)) * weight;
  }
};

}  // namespace

// ---- launchers

void launch_binary_cross_entropy_with_logits_forward(const LossForward& call, const ArrayView& weight,
                                                     const ArrayView& pos_weight) {
  launch_loss_forward(LogitsLoss{pos_weight.data != nullptr}, call, weight, pos_weight);
  CHECK_LAUNCH("binary_cross_entropy_with_logits_forward");
}

void launch_binary_cross_entropy_with_logits_backward(const LossBackward& call, const ArrayView& weight,
                                                      const ArrayView& pos_weight) {
  launch_loss_backward(LogitsDerivative{pos_weight.data != nullptr}, call, weight, pos_weight);
  CHECK_LAUNCH("binary_cross_entropy_with_logits_backward");
}
