// Stochastic gradient descent: one step of many tensors in one launch.
#include "sgd.h"

#include "device/segments.h"

namespace {

// weight: of the gradient in the buffer. first: this step fills the buffer.
template <class A>
struct SgdUpdate {
  A lr, momentum, weight, decay, sign;
  bool has_momentum, nesterov, first;

  SgdUpdate() = default;

  // h: lr, momentum, dampening, weight_decay, nesterov, maximize.
  __device__ __forceinline__ SgdUpdate(const double* h, double step)
      : lr(A(h[0])),
        momentum(A(h[1])),
        weight(A(1 - h[2])),
        decay(A(h[3])),
        sign(A(h[5] != 0 ? -1 : 1)),
        has_momentum(h[1] != 0),
        nesterov(h[4] != 0),
        first(step == 1) {}

  __device__ __forceinline__ static unsigned states(const double* h) { return h[1] != 0; }

  // What counts is whether the buffer has been filled.
  __device__ __forceinline__ static bool counts(const double* h) { return h[1] != 0; }

  __device__ __forceinline__ void operator()(A g, A& p, A (&state)[1]) const {
    A direction = sign * g;
    if (decay != A(0)) direction += decay * p;
    if (has_momentum) {
      A& buffer = state[0];
      buffer = first ? direction : momentum * buffer + weight * direction;
      direction = nesterov ? direction + momentum * buffer : buffer;
    }
    p -= lr * direction;
  }
};

}  // namespace

// ---- launchers

void launch_sgd_step(const SegmentTable& table, const ArrayView& grad, const ArrayView& param,
                     const ArrayView& momentum_buffer, simt::Stream stream) {
  launch_segments<SgdUpdate>(table, grad, param, stream, momentum_buffer);
  CHECK_LAUNCH("sgd_step");
}
