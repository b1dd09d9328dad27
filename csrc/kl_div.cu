// Kullback-Leibler divergence.
#include "kl_div.h"

#include "device/losses.h"

namespace {

struct KlDiv {
  bool log_target;

  template <class A>
  __device__ __forceinline__ A operator()(A x, A t) const {
    if (log_target) return exp(t) * (t - x);
    return (t == A(0) ? A(0) : t * log(t)) - t * x;
  }
};

struct NegativeKlDerivative {
  bool log_target;

  template <class A>
  __device__ __forceinline__ A operator()(A, A t) const {
    return log_target ? exp(t) : t;
  }
};

}  // namespace

// ---- launchers

void launch_kl_div_forward(const LossForward& call, bool log_target) {
  launch_loss_forward(KlDiv{log_target}, call);
  CHECK_LAUNCH("kl_div_forward");
}

void launch_kl_div_backward(const LossBackward& call, bool log_target) {
  LossBackward negative = call;
  negative.scale = -call.scale;
  launch_loss_backward(NegativeKlDerivative{log_target}, negative);
  CHECK_LAUNCH("kl_div_backward");
}
