// Adam and AdamW: one step of many tensors in one launch.
#include "adam.h"

#include "device/segments.h"

namespace {

// Numbers of a segment: step size and eps with the bias corrections taken in, 1 - beta1, beta2, 1 - beta2, L2 weight,
// factor of decoupled decay, amsgrad, sign of the gradient.
template <class A>
struct AdamUpdate {
  A step_size, eps, rate1, beta2, rate2, l2, shrink, sign;
  bool amsgrad;

  // From lr, beta1, beta2, eps, weight_decay, amsgrad, maximize, decoupled_weight_decay.
  // lr / c1 * m / (sqrt(v) / sqrt(c2) + eps): the division by sqrt(c2) is taken into the two scalars.
  __device__ static void fill(const double* h, double step, double* numbers) {
    const double root = sqrt(1 - pow(h[2], step));
    const bool decoupled = h[7] != 0;
    numbers[0] = h[0] / (1 - pow(h[1], step)) * root;
    numbers[1] = h[3] * root;
    numbers[2] = 1 - h[1];
    numbers[3] = h[2];
    numbers[4] = 1 - h[2];
    numbers[5] = decoupled ? 0 : h[4];
    numbers[6] = decoupled ? 1 - h[0] * h[4] : 1;
    numbers[7] = h[5];
    numbers[8] = h[6] != 0 ? -1 : 1;
  }

  __device__ explicit AdamUpdate(const double* numbers)
      : step_size(A(numbers[0])),
        eps(A(numbers[1])),
        rate1(A(numbers[2])),
        beta2(A(numbers[3])),
        rate2(A(numbers[4])),
        l2(A(numbers[5])),
        shrink(A(numbers[6])),
        sign(A(numbers[8])),
        amsgrad(numbers[7] != 0) {}

  __device__ __forceinline__ bool uses(int state) const { return state < 2 || amsgrad; }

  __device__ __forceinline__ bool counts() const { return true; }

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
