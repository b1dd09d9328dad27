// Normalisation of images, with the casts and, for planes, the change to channels-last memory.
#include "image_normalize.h"

#include "device/image_values.h"
#include "device/normalized.h"
#include "device/pixels.h"

// ---- kernels

namespace {

constexpr int kTilePixels = 1024, kTileChannels = 32;  // of a tile of one channel, and at most

// Pixels of a dtype known at run time, so that a kernel is a template over the result alone.
struct PixelArray {
  const void* memory;
  DType dtype;

  // values[j] = element at + j. vectors: memory is aligned to N elements, and so is `at`.
  template <int N, class A>
  __device__ __forceinline__ void load(A (&values)[N], std::int64_t at) const {
    switch (dtype) {
      case DType::uint8:
        return load_as<unsigned char>(values, at);
      case DType::float16:
        return load_as<__half>(values, at);
      case DType::bfloat16:
        return load_as<__nv_bfloat16>(values, at);
      case DType::float32:
        return load_as<float>(values, at);
      default:
        return load_as<double>(values, at);
    }
  }

 private:
  template <class X, int N, class A>
  __device__ __forceinline__ void load_as(A (&values)[N], std::int64_t at) const {
    X items[N];
    load_items(items, static_cast<const X*>(memory) + at);
#pragma unroll
    for (int j = 0; j < N; j++) values[j] = A(pixel_value(items[j]));
  }
};

// One thread per N elements of y, in memory order; x is in the same order. N is 16 bytes of Y, or 1.
template <class Y, class A, int N>
__global__ void __launch_bounds__(kThreads)
    normalize_kernel(PixelArray x, const A* mean, const A* factor, Y* y, std::int64_t size, Divisor channels) {
  const std::int64_t first = (std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x) * N;
  if (first >= size) return;
  int c = int(first - channels.divide(first) * channels.value);
  A values[N];
  x.load(values, first);
  Y results[N];
#pragma unroll
  for (int j = 0; j < N; j++) {
    results[j] = cast_from<Y>(normalized(values[j], mean[c], factor[c]));
    if (++c == channels.value) c = 0;
  }
  store_items(y + first, results);
}

// A tile of `wide` channels by `length` pixels of planes, turned in shared memory.
struct PlaneTiles {
  int channels, wide, length;
  std::int64_t pixels;
  unsigned across, along;  // tiles of a sample in channels and in pixels

  PlaneTiles(int channels_, std::int64_t pixels_)
      : channels(channels_),
        wide(std::min(channels_, kTileChannels)),
        length(kTilePixels / wide / 32 * 32),  // whole sectors of every dtype
        pixels(pixels_),
        across(unsigned(ceil_div(channels_, wide))),
        along(unsigned(ceil_div(pixels_, length))) {}
};

// One block per tile: read along the planes, written along the channels. x: (N, C, pixels), y: (N, pixels, C). A row of
// the tile is one element longer, so that both ways meet all banks.
template <class Y, class A>
__global__ void __launch_bounds__(kThreads)
    normalize_planes_kernel(PixelArray x, const A* mean, const A* factor, Y* y, PlaneTiles tiles) {
  SHARED_MEMORY(tile, A[kTilePixels + kTileChannels]);
  const std::int64_t sample = blockIdx.x / (tiles.across * tiles.along);
  const int channel = int(blockIdx.x % tiles.across) * tiles.wide;
  const std::int64_t pixel = std::int64_t(blockIdx.x / tiles.across % tiles.along) * tiles.length;
  const int wide = min(tiles.wide, tiles.channels - channel), count = tiles.wide * tiles.length;
  const int length = int(min(std::int64_t(tiles.length), tiles.pixels - pixel));
  for (int t = int(threadIdx.x); t < count; t += kThreads) {
    const int c = t / tiles.length, p = t - c * tiles.length;
    if (c >= wide || p >= length) continue;
    A value[1];
    x.load(value, (sample * tiles.channels + channel + c) * tiles.pixels + pixel + p);
    tile[c * (tiles.length + 1) + p] = normalized(value[0], mean[channel + c], factor[channel + c]);
  }
  __syncthreads();
  for (int t = int(threadIdx.x); t < count; t += kThreads) {
    const int p = t / tiles.wide, c = t - p * tiles.wide;
    if (c >= wide || p >= length) continue;
    y[(sample * tiles.pixels + pixel + p) * tiles.channels + channel + c] =
        cast_from<Y>(tile[c * (tiles.length + 1) + p]);
  }
}

// ---- launchers

template <class Y, class A>
void launch_normalize(const ArrayView& x, const ArrayView& mean, const ArrayView& factor, const ArrayView& y,
                      bool planes, simt::Stream stream) {
  const PixelArray pixels{x.data, x.dtype};
  const A *means = mean.as<const A>(), *factors = factor.as<const A>();
  const int channels = int(mean.size);
  if (planes) {
    const PlaneTiles tiles(channels, y.shape[1] * y.shape[2]);
    const std::int64_t blocks = y.shape[0] * tiles.across * tiles.along;
    simt::launch(one_dimensional(blocks * kThreads, stream), normalize_planes_kernel<Y, A>, pixels, means, factors,
                 y.as<Y>(), tiles);
    return;
  }
  constexpr int N = kVector<Y>;
  const bool whole = y.size % N == 0 && vector_aligned(x) && vector_aligned(y);
  simt::launch(one_dimensional(whole ? y.size / N : y.size, stream),
               whole ? normalize_kernel<Y, A, N> : normalize_kernel<Y, A, 1>, pixels, means, factors, y.as<Y>(), y.size,
               Divisor(channels));
}

}  // namespace

void launch_image_normalize(const ArrayView& x, const ArrayView& mean, const ArrayView& factor, const ArrayView& y,
                            bool planes, simt::Stream stream) {
  if (y.size == 0) return;
  dispatch_float(y.dtype, [&](auto type) {
    using Y = typename decltype(type)::type;
    if (mean.dtype == DType::float64) {
      launch_normalize<Y, double>(x, mean, factor, y, planes, stream);
    } else if constexpr (!std::is_same<Y, double>::value) {
      launch_normalize<Y, float>(x, mean, factor, y, planes, stream);
    }
  });
  CHECK_LAUNCH("image_normalize");
}
