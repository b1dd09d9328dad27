// RMSprop: one step of many tensors in one launch.
#include "rmsprop.h"

#include "device/segments.h"

namespace {

// Numbers of a segment: as the hyperparameters.
template <class A>
struct RMSpropUpdate {
  A lr, alpha, rate, eps, decay, momentum, sign;
  bool has_momentum, centered, eps_inside;

  // From lr, alpha, eps, weight_decay, momentum, centered, maximize, eps_inside_sqrt.
  __device__ static void fill(const double* h, double, double* numbers) {
#pragma unroll
    for (int i = 0; i < 8; i++) numbers[i] = h[i];
  }

  __device__ explicit RMSpropUpdate(const double* numbers)
      : lr(A(numbers[0])),
        alpha(A(numbers[1])),
        rate(A(1 - numbers[1])),
        eps(A(numbers[2])),
        decay(A(numbers[3])),
        momentum(A(numbers[4])),
        sign(numbers[6] != 0 ? A(-1) : A(1)),
        has_momentum(numbers[4] != 0),
        centered(numbers[5] != 0),
        eps_inside(numbers[7] != 0) {}

  __device__ __forceinline__ bool uses(int state) const { return state == 0 || (state == 1 ? centered : has_momentum); }

  __device__ __forceinline__ bool counts() const { return true; }

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
