// Stochastic gradient descent: one step of many tensors in one launch.
#include "sgd.h"

#include "device/segments.h"

namespace {

// Numbers of a segment: learning rate, momentum, weight of the gradient in the buffer, weight decay, nesterov, sign of
// the gradient, whether this is the first step.
template <class A>
struct SgdUpdate {
  A lr, momentum, weight, decay, sign;
  bool has_momentum, nesterov, first;

  // From lr, momentum, dampening, weight_decay, nesterov, maximize.
  __device__ static void fill(const double* h, double step, double* numbers) {
    numbers[0] = h[0];
    numbers[1] = h[1];
    numbers[2] = 1 - h[2];
    numbers[3] = h[3];
    numbers[4] = h[4];
    numbers[5] = h[5] != 0 ? -1 : 1;
    numbers[6] = step == 1;
  }

  __device__ explicit SgdUpdate(const double* numbers)
      : lr(A(numbers[0])),
        momentum(A(numbers[1])),
        weight(A(numbers[2])),
        decay(A(numbers[3])),
        sign(A(numbers[5])),
        has_momentum(numbers[1] != 0),
        nesterov(numbers[4] != 0),
        first(numbers[6] != 0) {}

  __device__ __forceinline__ bool uses(int) const { return has_momentum; }

  // The first step with momentum fills the buffer.
  __device__ __forceinline__ bool counts() const { return has_momentum; }

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
