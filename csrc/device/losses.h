// Losses over elements: the kernels and launchers of every such operator.
//
// A loss is two structs, its value and its derivative, with
// `template <class A> __device__ A operator()(A prediction, A target, A... extras) const`.
// An extra, such as a weight, is 1 everywhere where its array is null.
#pragma once

#include <utility>

#include "device/elementwise.h"
#include "device/reduce.h"
#include "losses.h"

template <class Function, class A, int Inputs, int N, std::size_t... K>
__device__ __forceinline__ A apply_at(const Function& function, const A (&values)[Inputs][N], int j,
                                      std::index_sequence<K...>) {
  return function(values[K][j]...);
}

template <int N, class T>
__device__ __forceinline__ void load_or_ones(accumulate_t<T> (&values)[N], const T* memory, std::int64_t first,
                                             std::int64_t n, bool aligned) {
  if (memory) {
    load_group<N>(values, memory, first, 0, n, aligned);
    return;
  }
#pragma unroll
  for (int j = 0; j < N; j++) values[j] = 1;
}

// results[j] = function(element first + j of each input).
template <int N, class A, class Function, class... Inputs>
__device__ __forceinline__ void evaluate_group(A (&results)[N], std::int64_t first, std::int64_t n, bool aligned,
                                               const Function& function, const Inputs*... inputs) {
  constexpr std::size_t kInputs = sizeof...(Inputs);
  A values[kInputs][N];
  int k = 0;
  (load_or_ones<N>(values[k++], inputs, first, n, aligned), ...);
#pragma unroll
  for (int j = 0; j < N; j++) results[j] = apply_at(function, values, j, std::make_index_sequence<kInputs>{});
}

// d * d / 2 where d < bound, else bound * (d - bound / 2), over a divisor; d >= 0. The divisor goes to m, because the
// product may be too large for A.
template <class A>
__device__ __forceinline__ A bounded_square(A d, A bound, A divisor = A(1)) {
  const A m = clamp(d, A(0), bound);
  return (d - m * A(0.5)) * (m / divisor);
}

// One thread per group of 16 bytes. loss: (n,).
template <class T, class Function, class... Inputs>
__global__ void __launch_bounds__(kThreads)
    loss_kernel(T* loss, std::int64_t n, bool aligned, Function function, const Inputs*... inputs) {
  constexpr int N = kVector<T>;
  const std::int64_t first = (std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x) * N;
  if (first >= n) return;
  accumulate_t<T> terms[N];
  evaluate_group(terms, first, n, aligned, function, inputs...);
  store_group<N>(loss, terms, first, 0, n, aligned);
}

// Each thread sums every so many groups of 16 bytes, a block its threads. A single block writes value: (1,), several
// their sums to partials: (gridDim.x,). From one group to the next in double: a thread may have thousands.
//
// One resident block is enough: left to itself ptxas held the half-precision sums to 32 registers and spilled.
template <class T, class Function, class... Inputs>
__global__ void __launch_bounds__(kThreads, 1)
    loss_sum_kernel(T* value, double* partials, double scale, std::int64_t n, bool aligned, Function function,
                    const Inputs*... inputs) {
  constexpr int N = kVector<T>;
  using A = accumulate_t<T>;
  const std::int64_t step = std::int64_t(gridDim.x) * blockDim.x * N;
  double total = 0;
  for (std::int64_t first = (std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x) * N; first < n; first += step) {
    A terms[N], sum = 0;
    evaluate_group(terms, first, n, aligned, function, inputs...);
#pragma unroll
    for (int j = 0; j < N; j++) sum += first + j < n ? terms[j] : A(0);
    total += double(sum);
  }
  total = block_reduce(total, Sum{});
  if (threadIdx.x != 0) return;
  if (gridDim.x == 1) {
    value[0] = narrow<T>(A(total * scale));
  } else {
    partials[blockIdx.x] = total;
  }
}

// One block. partials: (count,) -> value: (1,).
template <class T>
__global__ void __launch_bounds__(kThreads)
    loss_total_kernel(T* value, const double* partials, std::int64_t count, double scale) {
  double total = 0;
  for (std::int64_t i = threadIdx.x; i < count; i += blockDim.x) total += partials[i];
  total = block_reduce(total, Sum{});
  if (threadIdx.x == 0) value[0] = narrow<T>(accumulate_t<T>(total * scale));
}

// One thread per group of 16 bytes. dx: (n,); gradient: (n,), or (1,) where it is `shared`.
template <class T, class Function, class... Inputs>
__global__ void __launch_bounds__(kThreads)
    loss_backward_kernel(T* dx, const T* gradient, bool shared, accumulate_t<T> scale, std::int64_t n, bool aligned,
                         Function function, const Inputs*... inputs) {
  constexpr int N = kVector<T>;
  using A = accumulate_t<T>;
  const std::int64_t first = (std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x) * N;
  if (first >= n) return;
  A derivatives[N], factors[N];
  evaluate_group(derivatives, first, n, aligned, function, inputs...);
  if (shared) {
    const A factor = widen(gradient[0]);
#pragma unroll
    for (int j = 0; j < N; j++) factors[j] = factor;
  } else {
    load_group<N>(factors, gradient, first, 0, n, aligned);
  }
#pragma unroll
  for (int j = 0; j < N; j++) derivatives[j] *= factors[j] * scale;
  store_group<N>(dx, derivatives, first, 0, n, aligned);
}

// ---- launchers

template <class Function, class... Extras>
void launch_loss_forward(const Function& function, const LossForward& f, const Extras&... extras) {
  const std::int64_t n = f.prediction.size;
  const bool aligned = vector_aligned(f.prediction) && vector_aligned(f.target) && vector_aligned(f.loss) &&
                       (vector_aligned(extras) && ... && true);
  dispatch_float(f.prediction.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const T* x = f.prediction.template as<const T>();
    const T* t = f.target.template as<const T>();
    if (f.loss.data) {
      if (n == 0) return;
      simt::launch(one_dimensional(ceil_div(n, kVector<T>), f.stream),
                   loss_kernel<T, Function, T, T, typename ElementOf<T, Extras>::type...>, f.loss.template as<T>(), n,
                   aligned, function, x, t, extras.template as<const T>()...);
      return;
    }
    T* value = f.value.template as<T>();
    const std::int64_t blocks = loss_blocks(f.prediction);
    simt::launch(one_dimensional(blocks * kThreads, f.stream),
                 loss_sum_kernel<T, Function, T, T, typename ElementOf<T, Extras>::type...>, value, f.partials, f.scale,
                 n, aligned, function, x, t, extras.template as<const T>()...);
    if (blocks == 1) return;
    simt::launch(one_dimensional(1, f.stream), loss_total_kernel<T>, value, f.partials, blocks, f.scale);
  });
}

template <class Function, class... Extras>
void launch_loss_backward(const Function& function, const LossBackward& b, const Extras&... extras) {
  const std::int64_t n = b.prediction.size;
  if (n == 0) return;
  const bool shared = b.gradient.size == 1;
  const bool aligned = vector_aligned(b.prediction) && vector_aligned(b.target) && vector_aligned(b.dx) &&
                       (shared || vector_aligned(b.gradient)) && (vector_aligned(extras) && ... && true);
  dispatch_float(b.prediction.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    simt::launch(one_dimensional(ceil_div(n, kVector<T>), b.stream),
                 loss_backward_kernel<T, Function, T, T, typename ElementOf<T, Extras>::type...>,
                 b.dx.template as<T>(), b.gradient.template as<const T>(), shared, accumulate_t<T>(b.scale), n, aligned,
                 function, b.prediction.template as<const T>(), b.target.template as<const T>(),
                 extras.template as<const T>()...);
  });
}
