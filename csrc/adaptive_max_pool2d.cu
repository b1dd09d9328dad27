// Adaptive max pooling on channels-last memory.
#include "adaptive_max_pool2d.h"

#include "device/largest.h"
#include "device/pixels.h"
#include "device/windows.h"

// ---- kernels

namespace {

// One thread per group of y: the elements of its bin, row by row.
template <class T, int N>
__global__ void __launch_bounds__(kThreads, 1)
    adaptive_max_pool2d_forward_kernel(const T* x, T* y, std::int64_t* indices, std::int64_t threads,
                                       PixelGroups groups, int channels, BinAxis rows, BinAxis columns) {
  using A = accumulate_t<T>;
  const std::int64_t thread = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (thread >= threads) return;
  const PixelGroup<N> at(groups, thread);
  const Range h = rows.elements(at.row), w = columns.elements(at.column);
  const std::int64_t width = columns.size.value;
  const T* image = x + at.sample * rows.size.value * width * channels + at.channel;
  Largest<A, N, std::int64_t> largest(h.first * width + w.first);
  for (int i = h.first; i < h.last; i++) {
#pragma unroll kElementsAtOnce
    for (int j = w.first; j < w.last; j++) {
      const std::int64_t place = i * width + j;
      A elements[N];
      load_pixel(elements, image + place * channels);
      largest.take(elements, place);
    }
  }
  store_pixel(y + thread * N, largest.values);
  store_items(indices + thread * N, largest.codes);
}

// One thread per group of dx: the sum of dy over the bins that hold this element and chose it, in order. An index that
// lies outside its bin is met by no thread.
template <class T, int N>
__global__ void __launch_bounds__(kThreads, 1)
    adaptive_max_pool2d_backward_kernel(const T* dy, const std::int64_t* indices, T* dx, std::int64_t threads,
                                        PixelGroups groups, int channels, BinAxis rows, BinAxis columns) {
  using A = accumulate_t<T>;
  const std::int64_t thread = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (thread >= threads) return;
  const PixelGroup<N> at(groups, thread);
  const Range p = rows.outputs(at.row), q = columns.outputs(at.column);
  const std::int64_t image = at.sample * rows.out.value, mine = std::int64_t(at.row) * columns.size.value + at.column;
  A sum[N] = {};
  for (int i = p.first; i < p.last; i++) {
#pragma unroll kElementsAtOnce
    for (int j = q.first; j < q.last; j++) {
      const std::int64_t place = ((image + i) * columns.out.value + j) * channels + at.channel;
      std::int64_t chosen[N];
      A gradients[N];
      load_items(chosen, indices + place);
      load_pixel(gradients, dy + place);
#pragma unroll
      for (int k = 0; k < N; k++) sum[k] += chosen[k] == mine ? gradients[k] : A(0);
    }
  }
  store_pixel(dx + thread * N, sum);
}

}  // namespace

// ---- launchers

void launch_adaptive_max_pool2d_forward(const ArrayView& x, const ArrayView& y, const ArrayView& indices,
                                        const Pool2dShape& shape, simt::Stream stream) {
  if (y.size == 0) return;
  dispatch_groups(y, whole_groups(shape.channels, y, x, indices), [&](auto type, auto group) {
    using T = typename decltype(type)::type;
    constexpr int N = decltype(group)::value;
    const std::int64_t threads = y.size / N;
    simt::launch(one_dimensional(threads, stream), adaptive_max_pool2d_forward_kernel<T, N>, x.as<const T>(), y.as<T>(),
                 indices.as<std::int64_t>(), threads,
                 PixelGroups(shape.rows.out, shape.columns.out, shape.channels, N), shape.channels, BinAxis(shape.rows),
                 BinAxis(shape.columns));
  });
  CHECK_LAUNCH("adaptive_max_pool2d_forward");
}

void launch_adaptive_max_pool2d_backward(const ArrayView& dy, const ArrayView& indices, const ArrayView& dx,
                                         const Pool2dShape& shape, simt::Stream stream) {
  if (dx.size == 0) return;
  dispatch_groups(dx, whole_groups(shape.channels, dx, dy, indices), [&](auto type, auto group) {
    using T = typename decltype(type)::type;
    constexpr int N = decltype(group)::value;
    const std::int64_t threads = dx.size / N;
    simt::launch(one_dimensional(threads, stream), adaptive_max_pool2d_backward_kernel<T, N>, dy.as<const T>(),
                 indices.as<const std::int64_t>(), dx.as<T>(), threads,
                 PixelGroups(shape.rows.size, shape.columns.size, shape.channels, N), shape.channels,
                 BinAxis(shape.rows), BinAxis(shape.columns));
  });
  CHECK_LAUNCH("adaptive_max_pool2d_backward");
}
