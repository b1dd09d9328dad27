// Negative log likelihood of rows.
#include "nll_loss.h"

#include "device/targets.h"
#include "device/vector.h"
#include "dispatch.h"

// ---- kernels

namespace {

// One thread per row. x: (rows, C) -> loss, counted: (rows,).
template <class T>
__global__ void __launch_bounds__(kThreads)
    nll_loss_kernel(const T* x, const std::int64_t* target, const T* weight, accumulate_t<T>* loss,
                    accumulate_t<T>* counted, std::int64_t rows, TargetRule rule) {
  using A = accumulate_t<T>;
  const std::int64_t row = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (row >= rows) return;
  const std::int64_t t = target[row];
  const A mass = counted_weight(rule, t, weight);
  counted[row] = mass;
  loss[row] = rule.counts(t) ? -widen(x[row * rule.classes + t]) * mass : mass;  // 0, or NaN
}

// One thread per group of 16 bytes of dx: (rows, C).
template <class T>
__global__ void __launch_bounds__(kThreads) nll_gradient_kernel(const std::int64_t* target, const T* weight, T* dx,
                                                                std::int64_t size, TargetRule rule, bool aligned) {
  constexpr int N = kVector<T>;
  using A = accumulate_t<T>;
  const std::int64_t first = (std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x) * N;
  if (first >= size) return;
  std::int64_t row = first / rule.classes, c = first % rule.classes, t = target[row];
  A values[N];
#pragma unroll
  for (int j = 0; j < N; j++) {
    if (c == rule.classes && first + j < size) {
      c = 0;
      t = target[++row];
    }
    const bool wrong = !rule.ignored(t) && !rule.valid(t);
    values[j] = c == t || wrong ? -counted_weight(rule, t, weight) : A(0);
    c++;
  }
  store_group<N>(dx, values, first, 0, size, aligned);
}

}  // namespace

// ---- launchers

void launch_nll_loss_forward(const ArrayView& x, const ArrayView& target, const ArrayView& weight,
                             const ArrayView& loss, const ArrayView& counted, const ArrayView& dx,
                             std::int64_t ignore_index, simt::Stream stream) {
  if (x.size == 0) return;
  const std::int64_t rows = x.shape[0];
  const TargetRule rule{x.shape[1], true, ignore_index};
  dispatch_float(x.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    using A = accumulate_t<T>;
    simt::launch(one_dimensional(rows, stream), nll_loss_kernel<T>, x.as<const T>(), target.as<const std::int64_t>(),
                 weight.as<const T>(), loss.as<A>(), counted.as<A>(), rows, rule);
    if (!dx.data) return;
    simt::launch(one_dimensional(ceil_div(dx.size, kVector<T>), stream), nll_gradient_kernel<T>,
                 target.as<const std::int64_t>(), weight.as<const T>(), dx.as<T>(), dx.size, rule, vector_aligned(dx));
  });
  CHECK_LAUNCH("nll_loss_forward");
}
