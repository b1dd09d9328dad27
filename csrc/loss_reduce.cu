// From the losses of rows to their value, and from its gradient back to the rows.
#include "cross_entropy.h"
#include "device/reduce.h"
#include "device/vector.h"
#include "dispatch.h"
#include "losses.h"

// ---- kernels

namespace {

// One thread per group of 16 bytes of value. loss, value: (n,); factor: (1,).
template <class T>
__global__ void __launch_bounds__(kThreads)
    loss_copy_kernel(const accumulate_t<T>* loss, T* value, accumulate_t<T>* factor, std::int64_t n, bool aligned) {
  constexpr int N = kVector<T>;
  const std::int64_t first = (std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x) * N;
  if (first == 0) factor[0] = 1;
  if (first >= n) return;
  accumulate_t<T> values[N];
  load_group<N>(values, loss, first, 0, n, aligned);
  store_group<N>(value, values, first, 0, n, aligned);
}

// Where nothing counts, the mean is NaN and nothing has a gradient.
template <class T>
__device__ __forceinline__ void store_reduced(double loss, double mass, bool mean, T* value, accumulate_t<T>* factor) {
  using A = accumulate_t<T>;
  value[0] = narrow<T>(A(!mean ? loss : mass == 0 ? double(NAN) : loss / mass));
  factor[0] = A(!mean ? 1.0 : mass == 0 ? 0.0 : 1 / mass);
}

// As loss_sum_kernel of device/losses.h, over two arrays; counted is only read for the mean. partials: (gridDim.x, 2).
template <class T>
__global__ void __launch_bounds__(kThreads)
    loss_reduce_kernel(const accumulate_t<T>* loss, const accumulate_t<T>* counted, T* value, accumulate_t<T>* factor,
                       double* partials, std::int64_t n, bool mean, bool aligned) {
  using A = accumulate_t<T>;
  constexpr int N = kVector<A>;
  const std::int64_t step = std::int64_t(gridDim.x) * blockDim.x * N;
  double total = 0, mass = 0;
  for (std::int64_t first = (std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x) * N; first < n; first += step) {
    A losses[N], weights[N];
    load_group<N>(losses, loss, first, 0, n, aligned);
    if (mean) load_group<N>(weights, counted, first, 0, n, aligned);
#pragma unroll
    for (int j = 0; j < N; j++) {
      total += double(losses[j]);
      if (mean) mass += double(weights[j]);
    }
  }
  total = block_reduce(total, Sum{});
  mass = block_reduce(mass, Sum{});
  if (threadIdx.x != 0) return;
  if (gridDim.x == 1) {
    store_reduced(total, mass, mean, value, factor);
  } else {
    partials[2 * blockIdx.x] = total;
    partials[2 * blockIdx.x + 1] = mass;
  }
}

// One block. partials: (count, 2).
template <class T>
__global__ void __launch_bounds__(kThreads) loss_reduce_total_kernel(const double* partials, std::int64_t count,
                                                                     T* value, accumulate_t<T>* factor, bool mean) {
  double total = 0, mass = 0;
  for (std::int64_t i = threadIdx.x; i < count; i += blockDim.x) {
    total += partials[2 * i];
    mass += partials[2 * i + 1];
  }
  total = block_reduce(total, Sum{});
  mass = block_reduce(mass, Sum{});
  if (threadIdx.x == 0) store_reduced(total, mass, mean, value, factor);
}

// One thread per group of 16 bytes of dx: (rows, extent). gradient: (rows,), or (1,) where it is `shared`.
template <class T>
__global__ void __launch_bounds__(kThreads)
    scale_rows_kernel(const T* gradient, bool shared, const accumulate_t<T>* factor, T* dx, std::int64_t size,
                      std::int64_t extent, bool aligned) {
  constexpr int N = kVector<T>;
  using A = accumulate_t<T>;
  const std::int64_t first = (std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x) * N;
  if (first >= size) return;
  A values[N];
  load_group<N>(values, dx, first, 0, size, aligned);
  std::int64_t row = shared ? 0 : first / extent, left = shared ? size : extent - first % extent;
  A scale = widen(gradient[row]) * factor[0];
#pragma unroll
  for (int j = 0; j < N; j++) {
    if (left == 0 && first + j < size) {
      scale = widen(gradient[++row]) * factor[0];
      left = extent;
    }
    values[j] *= scale;
    left--;
  }
  store_group<N>(dx, values, first, 0, size, aligned);
}

}  // namespace

// ---- launchers

void launch_loss_reduce(const ArrayView& loss, const ArrayView& counted, const ArrayView& value,
                        const ArrayView& factor, Reduction reduction, double* partials, simt::Stream stream) {
  const std::int64_t n = loss.size;
  const bool mean = reduction == Reduction::mean;
  dispatch_float(value.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    using A = accumulate_t<T>;
    const A* losses = loss.as<const A>();
    if (reduction == Reduction::none) {
      const std::int64_t threads = n == 0 ? 1 : ceil_div(n, kVector<T>);
      simt::launch(one_dimensional(threads, stream), loss_copy_kernel<T>, losses, value.as<T>(), factor.as<A>(), n,
                   vector_aligned(loss) && vector_aligned(value));
      return;
    }
    const std::int64_t blocks = loss_blocks(loss);
    simt::launch(one_dimensional(blocks * kThreads, stream), loss_reduce_kernel<T>, losses, counted.as<const A>(),
                 value.as<T>(), factor.as<A>(), partials, n, mean, vector_aligned(loss) && vector_aligned(counted));
    if (blocks == 1) return;
    simt::launch(one_dimensional(1, stream), loss_reduce_total_kernel<T>, partials, blocks, value.as<T>(),
                 factor.as<A>(), mean);
  });
  CHECK_LAUNCH("loss_reduce");
}

void launch_scale_rows(const ArrayView& gradient, const ArrayView& factor, const ArrayView& dx, simt::Stream stream) {
  if (dx.size == 0) return;
  dispatch_float(dx.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    simt::launch(one_dimensional(ceil_div(dx.size, kVector<T>), stream), scale_rows_kernel<T>, gradient.as<const T>(),
                 gradient.size == 1, factor.as<const accumulate_t<T>>(), dx.as<T>(), dx.size, dx.shape[1],
                 vector_aligned(dx));
  });
  CHECK_LAUNCH("scale_rows");
}
