// y[i] = function(inputs[i]...) over flat memory: the kernel and the launcher of every such operator.
//
// An operator is a struct with `template <class A> __device__ A operator()(A...) const`, A being float or double.
#pragma once

#include "device/vector.h"
#include "dispatch.h"

// One thread per group of 16 bytes. y may be one of the inputs: a thread reads its group before it writes it.
template <class T, class Function, class... Inputs>
__global__ void __launch_bounds__(kThreads)
    elementwise_kernel(T* y, std::int64_t n, bool aligned, Function function, const Inputs*... inputs) {
  constexpr int N = kVector<T>;
  using A = accumulate_t<T>;
  const std::int64_t first = (std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x) * N;
  if (first >= n) return;
  A values[sizeof...(inputs)][N], results[N];
  int k = 0;
  (load_group<N>(values[k++], inputs, first, 0, n, aligned), ...);
#pragma unroll
  for (int j = 0; j < N; j++) {
    if constexpr (sizeof...(inputs) == 1) {
      results[j] = function(values[0][j]);
    } else {
      static_assert(sizeof...(inputs) == 2, "one input or two");
      results[j] = function(values[0][j], values[1][j]);
    }
  }
  store_group<N>(y, results, first, 0, n, aligned);
}

// T for each of the inputs.
template <class T, class>
struct ElementOf {
  using type = T;
};

// All arrays have one dtype and one length.
template <class Function, class... Arrays>
void launch_elementwise(const Function& function, const ArrayView& y, simt::Stream stream, const Arrays&... inputs) {
  if (y.size == 0) return;
  const bool aligned = vector_aligned(y) && (vector_aligned(inputs) && ...);
  dispatch_float(y.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    simt::launch(one_dimensional(ceil_div(y.size, kVector<T>), stream),
                 elementwise_kernel<T, Function, typename ElementOf<T, Arrays>::type...>, y.template as<T>(), y.size,
                 aligned, function, inputs.template as<const T>()...);
  });
}
