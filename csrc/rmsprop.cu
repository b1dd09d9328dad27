// RMSprop: one step of many tensors in one launch.
#include "rmsprop.h"

#include "device/segments.h"

namespace {

template <class A>
struct RMSpropUpdate {
  A lr, alpha, rate, eps, decay, momentum, sign;
  bool has_momentum, centered, eps_inside;

  RMSpropUpdate() = default;

  // h: lr, alpha, eps, weight_decay, momentum, centered, maximize, eps_inside_sqrt.
  __device__ __forceinline__ RMSpropUpdate(const double* h, double)
      : lr(A(h[0])),
        alpha(A(h[1])),
        rate(A(1 - h[1])),
        eps(A(h[2])),
        decay(A(h[3])),
        momentum(A(h[4])),
        sign(A(h[6] != 0 ? -1 : 1)),
        has_momentum(h[4] != 0),
        centered(h[5] != 0),
        eps_inside(h[7] != 0) {}

  __device__ __forceinline__ static unsigned states(const double* h) {
    return 1u | (h[5] != 0 ? 2u : 0u) | (h[4] != 0 ? 4u : 0u);
  }

  __device__ __forceinline__ static bool counts(const double*) { return true; }

  __device__ __forceinline__ void operator()(A g, A& p, A (&state)[3]) const {
    A& square = state[0];
    A& average = state[1];
    A& buffer = state[2];
    g = sign * g;
    if (decay != A(0)) g += decay * p;
    square = alpha * square + rate * (g * g);
    A variance = square;
    if (centered) {
      average = lerp(average, g, rate);
      variance -= average * average;
    }
    A direction = g / (eps_inside ? sqrt(variance + eps) : sqrt(variance) + eps);
    if (has_momentum) direction = buffer = momentum * buffer + direction;
    p -= lr * direction;
  }
};

}  // namespace

// ---- launchers

void launch_rmsprop_step(const SegmentTable& table, const ArrayView& grad, const ArrayView& param,
                         const ArrayView& square_avg, const ArrayView& grad_avg, const ArrayView& momentum_buffer,
                         simt::Stream stream) {
  launch_segments<RMSpropUpdate>(table, grad, param, stream, square_avg, grad_avg, momentum_buffer);
  CHECK_LAUNCH("rmsprop_step");
}
