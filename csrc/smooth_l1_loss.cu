// Smooth L1 loss: a parabola up to beta, a line beyond.
#include "smooth_l1_loss.h"

#include "device/losses.h"

namespace {

struct SmoothL1Loss {
  double beta;

  template <class A>
  __device__ __forceinline__ A operator()(A x, A t) const {
    const A d = fabs(x - t);
    return beta > 0 ? bounded_square(d, A(beta), A(beta)) : d;
  }
};

struct SmoothL1Derivative {
  double beta;

  template <class A>
  __device__ __forceinline__ A operator()(A x, A t) const {
    const A d = x - t;
    if (beta > 0) return clamp(d / A(beta), A(-1), A(1));
    return A(int(d > A(0)) - int(d < A(0)));  // the sign, 0 for NaN, as in l1_loss
  }
};

}  // namespace

// ---- launchers

void launch_smooth_l1_loss_forward(const LossForward& call, double beta) {
  launch_loss_forward(SmoothL1Loss{beta}, call);
  CHECK_LAUNCH("smooth_l1_loss_forward");
}

void launch_smooth_l1_loss_backward(const LossBackward& call, double beta) {
  launch_loss_backward(SmoothL1Derivative{beta}, call);
  CHECK_LAUNCH("smooth_l1_loss_backward");
}
