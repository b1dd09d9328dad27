// Passes over one flat array: norms, the non-finite test, scaling, clamping, running average.
#include "flat.h"

#include "device/elementwise.h"

// ---- kernels

namespace {

// In double: squares of float32 leave its range, and a term costs less than the memory it comes from.
struct Fold {
  FlatFold kind;
  double power;

  __device__ __forceinline__ double start() const { return kind == FlatFold::smallest ? INFINITY : 0; }

  __device__ __forceinline__ double term(double magnitude) const {
    switch (kind) {
      case FlatFold::squares:
        return magnitude * magnitude;
      case FlatFold::powers:
        return pow(magnitude, power);
      case FlatFold::nonzero:
        return magnitude != 0 ? 1 : 0;
      case FlatFold::nonfinite:
        return magnitude < double(INFINITY) ? 0 : 1;
      default:
        return magnitude;
    }
  }

  __device__ __forceinline__ double merge(double a, double b) const {
    switch (kind) {
      case FlatFold::largest:
      case FlatFold::nonfinite:
        return nan_max(a, b);
      case FlatFold::smallest:
        return -nan_max(-a, -b);
      default:
        return a + b;
    }
  }

  // The norm, from what all terms together give.
  __device__ __forceinline__ double root(double total) const {
    if (kind == FlatFold::squares) return sqrt(total);
    return kind == FlatFold::powers ? pow(total, 1 / power) : total;
  }
};

// The numbers of a block's threads folded as a tree; thread 0 gets the result. Once in a kernel, by all threads.
__device__ __forceinline__ double fold_threads(const Fold& fold, double mine) {
  SHARED_MEMORY(totals, double[kThreads]);
  const int thread = int(threadIdx.x);
  totals[thread] = mine;
  for (int width = kThreads / 2; width > 0; width /= 2) {
    __syncthreads();
    if (thread < width) totals[thread] = fold.merge(totals[thread], totals[thread + width]);
  }
  return totals[thread];
}

// One block per kFlatBlock elements of x: (size,) -> partials[block]. A thread folds every kThreads-th group of 16
// bytes in order, then the threads' numbers are folded as a tree.
template <class T>
__global__ void __launch_bounds__(kThreads)
    flat_partials_kernel(const T* x, std::int64_t size, bool aligned, Fold fold, double* partials) {
  constexpr int N = kVector<T>;
  const int thread = int(threadIdx.x);
  const std::int64_t begin = std::int64_t(blockIdx.x) * kFlatBlock, end = min(size, begin + kFlatBlock);
  double total = fold.start();
  for (std::int64_t first = begin + thread * N; first < end; first += kThreads * N) {
    accumulate_t<T> values[N];
    load_group<N>(values, x, first, begin, end, aligned);
#pragma unroll
    for (int j = 0; j < N; j++) {
      if (first + j < end) total = fold.merge(total, fold.term(fabs(double(values[j]))));
    }
  }
  total = fold_threads(fold, total);
  if (thread == 0) partials[blockIdx.x] = total;
}

// One block. partials: (count,) of one or several arrays -> norm[0]. Folded as above.
__global__ void __launch_bounds__(kThreads)
    flat_norm_kernel(const double* partials, std::int64_t count, Fold fold, double* norm) {
  const int thread = int(threadIdx.x);
  double total = fold.start();
  for (std::int64_t i = thread; i < count; i += kThreads) total = fold.merge(total, partials[i]);
  total = fold_threads(fold, total);
  if (thread == 0) norm[0] = fold.root(total);
}

// One thread: factor[0] = min(1, max_norm / (norm[0] + 1e-6)), NaN for a NaN norm.
__global__ void flat_clip_factor_kernel(const double* norm, double* factor, double max_norm) {
  const double ratio = max_norm / (norm[0] + 1e-6);
  factor[0] = ratio >= 1 ? 1 : ratio;
}

// One thread per 16 bytes of x. The factor comes from device memory, so that nobody waits for it; a factor of 1 moves
// nothing.
template <class T>
__global__ void __launch_bounds__(kThreads)
    flat_scale_kernel(T* x, std::int64_t size, bool aligned, const double* factor) {
  constexpr int N = kVector<T>;
  using A = accumulate_t<T>;
  const std::int64_t first = (std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x) * N;
  const double by = *factor;
  if (first >= size || by == 1) return;
  A values[N];
  load_group<N>(values, x, first, 0, size, aligned);
#pragma unroll
  for (int j = 0; j < N; j++) values[j] *= A(by);
  store_group<N>(x, values, first, 0, size, aligned);
}

struct Clamp {
  double limit;
  template <class A>
  __device__ __forceinline__ A operator()(A x) const {
    return clamp(x, A(-limit), A(limit));
  }
};

// One thread per 16 bytes of x; of half precision those are two vectors of the average.
template <class T>
__global__ void __launch_bounds__(kThreads)
    flat_average_kernel(const T* x, accumulate_t<T>* average, std::int64_t size, bool aligned, double weight) {
  constexpr int N = kVector<T>;
  using A = accumulate_t<T>;
  const std::int64_t first = (std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x) * N;
  if (first >= size) return;
  A values[N], averages[N];
  load_group<N>(values, x, first, 0, size, aligned);
  load_group<N>(averages, average, first, 0, size, aligned);
#pragma unroll
  for (int j = 0; j < N; j++) averages[j] = lerp(averages[j], values[j], A(weight));
  store_group<N>(average, averages, first, 0, size, aligned);
}

}  // namespace

// ---- launchers

void launch_flat_partials(const ArrayView& x, const ArrayView& partials, FlatFold fold, double power,
                          simt::Stream stream) {
  if (x.size == 0) return;
  const simt::LaunchConfig config = one_dimensional(partials.size * kThreads, stream);
  dispatch_float(x.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    simt::launch(config, flat_partials_kernel<T>, x.as<const T>(), x.size, vector_aligned(x), Fold{fold, power},
                 partials.as<double>());
  });
  CHECK_LAUNCH("flat_partials");
}

void launch_flat_norm(const ArrayView& partials, const ArrayView& norm, FlatFold fold, double power,
                      simt::Stream stream) {
  simt::launch({dim3(1), dim3(kThreads), 0, stream}, flat_norm_kernel, partials.as<const double>(), partials.size,
               Fold{fold, power}, norm.as<double>());
  CHECK_LAUNCH("flat_norm");
}

void launch_flat_clip_factor(const ArrayView& norm, const ArrayView& factor, double max_norm, simt::Stream stream) {
  simt::launch({dim3(1), dim3(1), 0, stream}, flat_clip_factor_kernel, norm.as<const double>(), factor.as<double>(),
               max_norm);
  CHECK_LAUNCH("flat_clip_factor");
}

void launch_flat_scale(const ArrayView& x, const ArrayView& factor, simt::Stream stream) {
  if (x.size == 0) return;
  dispatch_float(x.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    simt::launch(one_dimensional(ceil_div(x.size, kVector<T>), stream), flat_scale_kernel<T>, x.as<T>(), x.size,
                 vector_aligned(x), factor.as<const double>());
  });
  CHECK_LAUNCH("flat_scale");
}

void launch_flat_clamp(const ArrayView& x, double limit, simt::Stream stream) {
  launch_elementwise(Clamp{limit}, x, stream, x);
  CHECK_LAUNCH("flat_clamp");
}

void launch_flat_average(const ArrayView& x, const ArrayView& average, double decay, simt::Stream stream) {
  if (x.size == 0) return;
  const bool aligned = vector_aligned(x) && vector_aligned(average);
  dispatch_float(x.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    simt::launch(one_dimensional(ceil_div(x.size, kVector<T>), stream), flat_average_kernel<T>, x.as<const T>(),
                 average.as<accumulate_t<T>>(), x.size, aligned, 1 - decay);
  });
  CHECK_LAUNCH("flat_average");
}
