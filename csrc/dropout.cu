// Dropout of elements, the mask drawn anew from counters at every call.
#include "dropout.h"

#include "device/dropout.h"
#include "device/vector.h"
#include "dispatch.h"

// ---- kernels

namespace {

// One thread per group of at least a cipher block and a vector. y[i] = x[i] * factor of word i: a product, so that a
// dropped NaN or inf is NaN.
template <class T>
__global__ void __launch_bounds__(kThreads)
    dropout_kernel(const T* x, T* y, std::int64_t n, bool aligned, DropoutFactor factor, PhiloxSequence sequence) {
  constexpr int N = kVector<T> < 4 ? 4 : kVector<T>;
  using A = accumulate_t<T>;
  const std::int64_t first = (std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x) * N;
  if (first >= n) return;
  A values[N];
  load_group<N>(values, x, first, 0, n, aligned);
#pragma unroll
  for (int k = 0; k < N; k += 4) {
    const uint4 words = sequence.cipher(std::uint64_t(first + k) / 4);
    values[k] *= factor.of_word<A>(words.x);
    values[k + 1] *= factor.of_word<A>(words.y);
    values[k + 2] *= factor.of_word<A>(words.z);
    values[k + 3] *= factor.of_word<A>(words.w);
  }
  store_group<N>(y, values, first, 0, n, aligned);
}

}  // namespace

// ---- launchers

void launch_dropout(const ArrayView& x, const ArrayView& y, double p, std::uint64_t seed, std::uint64_t stream,
                    simt::Stream cuda_stream) {
  if (y.size == 0) return;
  const bool aligned = vector_aligned(x) && vector_aligned(y);
  dispatch_float(x.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    constexpr int kGroup = kVector<T> < 4 ? 4 : kVector<T>;
    simt::launch(one_dimensional(ceil_div(y.size, kGroup), cuda_stream), dropout_kernel<T>, x.as<const T>(), y.as<T>(),
                 y.size, aligned, DropoutFactor(p), PhiloxSequence{seed, stream});
  });
  CHECK_LAUNCH("dropout");
}
