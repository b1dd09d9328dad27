// Averages over rectangles of channels-last images, forward and backward, for windows and for adaptive bins.
//
// An axis is a struct with `size` and `out`, the elements (a Range) that output p averages, the outputs that average
// element i, and `count(p)`, whose product over both axes is the divisor.
#pragma once

#include "device/pixels.h"
#include "device/windows.h"

struct AverageWindows {
  WindowAxis window;
  bool count_padding;
  std::int64_t fixed;  // the count of every output, or 0

  __device__ __forceinline__ int size() const { return window.size; }
  __device__ __forceinline__ int out() const { return window.out; }
  __device__ __forceinline__ Range elements(int p) const {
    const int start = window_start(window, p);
    return {max(start, 0), min(start + window.kernel, window.size)};
  }
  __device__ __forceinline__ Range outputs(int i) const { return window_outputs(window, i); }
  __device__ __forceinline__ std::int64_t count(int p) const {
    if (fixed) return fixed;
    const int start = window_start(window, p);
    if (count_padding) return min(start + window.kernel, window.size + window.padding) - start;
    const Range inside = elements(p);
    return inside.last - inside.first;
  }
};

struct AverageBins {
  BinAxis bins;

  __device__ __forceinline__ int size() const { return bins.size.value; }
  __device__ __forceinline__ int out() const { return bins.out.value; }
  __device__ __forceinline__ Range elements(int p) const { return bins.elements(p); }
  __device__ __forceinline__ Range outputs(int i) const { return bins.outputs(i); }
  __device__ __forceinline__ std::int64_t count(int p) const {
    const Range inside = elements(p);
    return inside.last - inside.first;
  }
};

// One thread per group of y. Columns are summed down first, then along: the order of the NumPy path.
template <class T, int N, class Axis>
__global__ void __launch_bounds__(kThreads, 1)
    average_forward_kernel(const T* x, T* y, std::int64_t threads, PixelGroups groups, int channels, Axis rows,
                           Axis columns) {
  using A = accumulate_t<T>;
  const std::int64_t thread = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (thread >= threads) return;
  const PixelGroup<N> at(groups, thread);
  const Range h = rows.elements(at.row), w = columns.elements(at.column);
  const std::int64_t line = std::int64_t(columns.size()) * channels;
  const T* image = x + at.sample * rows.size() * line + at.channel;
  A total[N] = {};
  for (int j = w.first; j < w.last; j++) {
    A sum[N] = {};
#pragma unroll kElementsAtOnce
    for (int i = h.first; i < h.last; i++) {
      A values[N];
      load_pixel(values, image + i * line + std::int64_t(j) * channels);
#pragma unroll
      for (int k = 0; k < N; k++) sum[k] += values[k];
    }
#pragma unroll
    for (int k = 0; k < N; k++) total[k] += sum[k];
  }
  const A divisor = A(rows.count(at.row) * columns.count(at.column));
#pragma unroll
  for (int k = 0; k < N; k++) total[k] /= divisor;
  store_pixel(y + thread * N, total);
}

// One thread per group of dx: the sum of dy / divisor over the outputs that see it. Rows of outputs are summed along
// first, the last output before the first: the order of the NumPy path, which goes by offsets in the window.
template <class T, int N, class Axis>
__global__ void __launch_bounds__(kThreads, 1)
    average_backward_kernel(const T* dy, T* dx, std::int64_t threads, PixelGroups groups, int channels, Axis rows,
                           Axis columns) {
  using A = accumulate_t<T>;
  const std::int64_t thread = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (thread >= threads) return;
  const PixelGroup<N> at(groups, thread);
  const Range p = rows.outputs(at.row), q = columns.outputs(at.column);
  const std::int64_t line = std::int64_t(columns.out()) * channels;
  const T* image = dy + at.sample * rows.out() * line + at.channel;
  A total[N] = {};
  for (int i = p.last - 1; i >= p.first; i--) {
    const std::int64_t height = rows.count(i);
    A sum[N] = {};
#pragma unroll kElementsAtOnce
    for (int j = q.last - 1; j >= q.first; j--) {
      const A divisor = A(height * columns.count(j));
      A gradients[N];
      load_pixel(gradients, image + i * line + std::int64_t(j) * channels);
#pragma unroll
      for (int k = 0; k < N; k++) sum[k] += gradients[k] / divisor;
    }
#pragma unroll
    for (int k = 0; k < N; k++) total[k] += sum[k];
  }
  store_pixel(dx + thread * N, total);
}

template <class Axis>
void launch_average_forward(const ArrayView& x, const ArrayView& y, const Pool2dShape& shape, const Axis& rows,
                            const Axis& columns, simt::Stream stream) {
  if (y.size == 0) return;
  dispatch_groups(y, whole_groups(shape.channels, x, y), [&](auto type, auto group) {
    using T = typename decltype(type)::type;
    constexpr int N = decltype(group)::value;
    const std::int64_t threads = y.size / N;
    simt::launch(one_dimensional(threads, stream), average_forward_kernel<T, N, Axis>, x.as<const T>(), y.as<T>(),
                 threads, PixelGroups(shape.rows.out, shape.columns.out, shape.channels, N), shape.channels, rows,
                 columns);
  });
}

template <class Axis>
void launch_average_backward(const ArrayView& dy, const ArrayView& dx, const Pool2dShape& shape, const Axis& rows,
                             const Axis& columns, simt::Stream stream) {
  if (dx.size == 0) return;
  dispatch_groups(dx, whole_groups(shape.channels, dx, dy), [&](auto type, auto group) {
    using T = typename decltype(type)::type;
    constexpr int N = decltype(group)::value;
    const std::int64_t threads = dx.size / N;
    simt::launch(one_dimensional(threads, stream), average_backward_kernel<T, N, Axis>, dy.as<const T>(), dx.as<T>(),
                 threads, PixelGroups(shape.rows.size, shape.columns.size, shape.channels, N), shape.channels, rows,
                 columns);
  });
}
