// Huber loss: a parabola up to delta, a line beyond.
#include "huber_loss.h"

#include "device/losses.h"

namespace {

struct HuberLoss {
  double delta;

  template <class A>
  __device__ __forceinline__ A operator()(A x, A t) const {
    return bounded_square(A(fabs(x - t)), A(delta));
  }
};

struct HuberDerivative {
  double delta;

  template <class A>
  __device__ __forceinline__ A operator()(A x, A t) const {
    return clamp(x - t, A(-delta), A(delta));
  }
};

}  // namespace

// ---- launchers

void launch_huber_loss_forward(const LossForward& call, double delta) {
  launch_loss_forward(HuberLoss{delta}, call);
  CHECK_LAUNCH("huber_loss_forward");
}

void launch_huber_loss_backward(const LossBackward& call, double delta) {
  launch_loss_backward(HuberDerivative{delta}, call);
  CHECK_LAUNCH("huber_loss_backward");
}
