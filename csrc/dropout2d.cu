// Dropout of whole channels.
#include "dropout2d.h"

#include "device/dropout.h"
#include "device/vector.h"
#include "dispatch.h"

// ---- kernels

namespace {

// One thread per 16 bytes of x: (N, positions, C). Channel c of sample n takes word n * C + c. Neighbours share a
// cipher block as long as they stay in it, so a group costs one or two of them, and one per element only where C is 1.
template <class T>
__global__ void __launch_bounds__(kThreads)
    dropout2d_kernel(const T* x, T* y, std::int64_t size, std::int64_t sample_size, std::int64_t channels, bool aligned,
                     DropoutFactor factor, PhiloxSequence sequence) {
  constexpr int N = kVector<T>;
  using A = accumulate_t<T>;
  const std::int64_t first = (std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x) * N;
  if (first >= size) return;
  A values[N];
  load_group<N>(values, x, first, 0, size, aligned);
  std::int64_t sample = first / sample_size, within = first % sample_size, channel = first % channels;
  std::int64_t known = -1;
  uint4 words = make_uint4(0, 0, 0, 0);
#pragma unroll
  for (int j = 0; j < N; j++) {
    const std::int64_t number = sample * channels + channel;
    if (number / 4 != known) {
      known = number / 4;
      words = sequence.cipher(std::uint64_t(known));
    }
    const int k = int(number % 4);
    values[j] *= factor.of_word<A>(k == 0 ? words.x : k == 1 ? words.y : k == 2 ? words.z : words.w);
    if (++channel == channels) channel = 0;
    if (++within == sample_size) {
      within = 0;
      sample++;
    }
  }
  store_group<N>(y, values, first, 0, size, aligned);
}

}  // namespace

// ---- launchers

void launch_dropout2d(const ArrayView& x, const ArrayView& y, double p, std::uint64_t seed, std::uint64_t stream,
                      simt::Stream cuda_stream) {
  if (y.size == 0) return;
  const bool aligned = vector_aligned(x) && vector_aligned(y);
  dispatch_float(x.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    simt::launch(one_dimensional(ceil_div(y.size, kVector<T>), cuda_stream), dropout2d_kernel<T>, x.as<const T>(),
                 y.as<T>(), y.size, x.shape[1] * x.shape[2], x.shape[2], aligned, DropoutFactor(p),
                 PhiloxSequence{seed, stream});
  });
  CHECK_LAUNCH("dropout2d");
}
