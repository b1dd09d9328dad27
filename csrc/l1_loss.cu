// Absolute error.
#include "l1_loss.h"

#include "device/losses.h"

namespace {

struct L1Loss {
  template <class A>
  __device__ __forceinline__ A operator()(A x, A t) const {
    return fabs(x - t);
  }
};

// 0 for NaN, as in PyTorch.
struct L1Derivative {
  template <class A>
  __device__ __forceinline__ A operator()(A x, A t) const {
    return A(int(x > t) - int(x < t));
  }
};

}  // namespace

// ---- launchers

void launch_l1_loss_forward(const LossForward& call) {
  launch_loss_forward(L1Loss{}, call);
  CHECK_LAUNCH("l1_loss_forward");
}

void launch_l1_loss_backward(const LossBackward& call) {
  launch_loss_backward(L1Derivative{}, call);
  CHECK_LAUNCH("l1_loss_backward");
}
