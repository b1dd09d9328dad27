// Additive Gaussian noise.
#include "gaussian_noise.h"

#include "device/philox.h"
#include "device/vector.h"
#include "dispatch.h"

// ---- kernels

namespace {

// One thread per group of at least a cipher block and a vector. y[i] = x[i] + std * z, z made of word i.
template <class T>
__global__ void __launch_bounds__(kThreads)
    gaussian_noise_kernel(const T* x, T* y, std::int64_t n, bool aligned, double std, PhiloxSequence sequence) {
  constexpr int N = kVector<T> < 4 ? 4 : kVector<T>;
  using A = accumulate_t<T>;
  const std::int64_t first = (std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x) * N;
  if (first >= n) return;
  A values[N];
  load_group<N>(values, x, first, 0, n, aligned);
#pragma unroll
  for (int k = 0; k < N; k += 4) {
    A noise[4];
    normal_from_words(sequence.cipher(std::uint64_t(first + k) / 4), noise);
#pragma unroll
    for (int j = 0; j < 4; j++) values[k + j] += A(std) * noise[j];
  }
  store_group<N>(y, values, first, 0, n, aligned);
}

}  // namespace

// ---- launchers

void launch_gaussian_noise(const ArrayView& x, const ArrayView& y, double std, std::uint64_t seed, std::uint64_t stream,
                           simt::Stream cuda_stream) {
  if (y.size == 0) return;
  const bool aligned = vector_aligned(x) && vector_aligned(y);
  dispatch_float(x.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    constexpr int kGroup = kVector<T> < 4 ? 4 : kVector<T>;
    simt::launch(one_dimensional(ceil_div(y.size, kGroup), cuda_stream), gaussian_noise_kernel<T>, x.as<const T>(),
                 y.as<T>(), y.size, aligned, std, PhiloxSequence{seed, stream});
  });
  CHECK_LAUNCH("gaussian_noise");
}
