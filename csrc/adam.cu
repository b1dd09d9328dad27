// Adam and AdamW: one step of many tensors in one launch.
#include "adam.h"

#include "device/segments.h"

namespace {

// rate1, rate2: 1 - beta1, 1 - beta2. l2: weight decay in the gradient; shrink: the factor of a decoupled one.
template <class A>
struct AdamUpdate {
  A step_size, eps, rate1, beta2, rate2, l2, shrink, sign;
  bool amsgrad;

  AdamUpdate() = default;

  // h: lr, beta1, beta2, eps, weight_decay, amsgrad, maximize, decoupled_weight_decay.
  // lr / c1 * m / (sqrt(v) / sqrt(c2) + eps): the division by sqrt(c2) is taken into the two scalars.
  __device__ __forceinline__ AdamUpdate(const double* h, double step) {
    const double root = sqrt(1 - pow(h[2], step));
    const bool decoupled = h[7] != 0;
    step_size = A(h[0] / (1 - pow(h[1], step)) * root);
    eps = A(h[3] * root);
    rate1 = A(1 - h[1]);
    beta2 = A(h[2]);
    rate2 = A(1 - h[2]);
    l2 = A(decoupled ? 0 : h[4]);
    shrink = A(decoupled ? 1 - h[0] * h[4] : 1);
    sign = A(h[6] != 0 ? -1 : 1);
    amsgrad = h[5] != 0;
  }

  __device__ __forceinline__ static unsigned states(const double* h) { return h[5] != 0 ? 7 : 3; }

  __device__ __forceinline__ static bool counts(const double*) { return true; }

  __device__ __forceinline__ void operator()(A g, A& p, A (&state)[3]) const {
    A& average = state[0];
    A& square = state[1];
    A& largest = state[2];
    g = sign * g;
    if (l2 != A(0)) g += l2 * p;
    if (shrink != A(1)) p *= shrink;
    average = lerp(average, g, rate1);
    square = beta2 * square + rate2 * (g * g);
    if (amsgrad) largest = nan_max(largest, square);
    p -= step_size * (average / (sqrt(amsgrad ? largest : square) + eps));
  }
};

}  // namespace

// ---- launchers

void launch_adam_step(const SegmentTable& table, const ArrayView& grad, const ArrayView& param,
                      const ArrayView& exp_avg, const ArrayView& exp_avg_sq, const ArrayView& max_exp_avg_sq,
                      simt::Stream stream) {
  launch_segments<AdamUpdate>(table, grad, param, stream, exp_avg, exp_avg_sq, max_exp_avg_sq);
  CHECK_LAUNCH("adam_step");
}
