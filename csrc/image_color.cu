// Brightness, contrast, saturation and hue of images.
//
// Contrast needs the mean of the grey that the steps before it leave. So one launch sums that of each image, by pieces,
// and a second one computes those steps once more and the rest, and nothing between the two is stored.
#include "image_color.h"

#include "device/image_values.h"
#include "device/rounded.h"

// ---- kernels

namespace {

constexpr int kPixelsPerPiece = 4096, kMostPieces = 64;
constexpr int kBrightness = 0, kContrast = 1, kSaturation = 2, kHue = 3, kSteps = 4;

template <class A>
__device__ __forceinline__ A nan_min(A a, A b) {
  return a < b || a != a ? a : b;
}

// A pixel of C channels between two steps; C is 3, or 1, which is its own grey and has no hue.
template <class T, int C>
struct ColorPixel {
  using A = accumulate_t<T>;
  A values[C];

  __device__ __forceinline__ explicit ColorPixel(const T* pixel) {
#pragma unroll
    for (int c = 0; c < C; c++) values[c] = pixel_value(pixel[c]);
  }

  __device__ __forceinline__ A grey() const {
    if constexpr (C == 1) {
      return values[0];
    } else {
      const A red = product(values[0], A(0.2989)), green = product(values[1], A(0.587));
      const A grey = sum(sum(red, green), product(values[2], A(0.114)));
      return kWholePixels<T> ? rint(grey) : grey;
    }
  }

  __device__ __forceinline__ void adjust(int step, A factor, A mean) {
    if (step == kBrightness) {
#pragma unroll
      for (int c = 0; c < C; c++) values[c] = product(values[c], factor);
    } else if (step == kContrast) {
      blend(mean, factor);
    } else if (step == kSaturation) {
      blend(grey(), factor);
    } else if (step == kHue && C == 3) {
      turn(factor);
    } else {
      return;
    }
#pragma unroll
    for (int c = 0; c < C; c++) values[c] = settled(values[c]);
  }

 private:
  __device__ __forceinline__ static A settled(A value) {
    if constexpr (kWholePixels<T>) {
      return whole_pixel(value);
    } else {
      return clamp(value, A(0), A(1));
    }
  }

  __device__ __forceinline__ void blend(A other, A factor) {
    const A rest = product(difference(A(1), factor), other);
#pragma unroll
    for (int c = 0; c < C; c++) values[c] = sum(product(values[c], factor), rest);
  }

  __device__ __forceinline__ void turn(A factor) {
    const A red = values[0], green = values[C > 1 ? 1 : 0], blue = values[C > 2 ? 2 : 0];
    const A largest = nan_max(nan_max(red, green), blue);
    const A spread = difference(largest, nan_min(nan_min(red, green), blue));
    const A divisor = spread == 0 ? A(1) : spread;
    A hue = red == largest     ? difference(green, blue) / divisor
            : green == largest ? sum(difference(blue, red) / divisor, A(2))
                               : sum(difference(red, green) / divisor, A(4));
    hue = sum(hue, product(A(6), factor));
#pragma unroll
    for (int c = 0; c < C; c++) {
      const A place = sum(hue, A(5 - 2 * c));
      const A within = difference(place, product(floor(place / A(6)), A(6)));
      const A share = clamp(nan_min(difference(A(4), within), within), A(0), A(1));
      values[c] = difference(largest, product(share, spread));
    }
  }
};

// The steps of one sample. Where an image has neither one nor three channels only brightness acts, on each value alone.
template <class A>
struct ColorSteps {
  const A* factors;
  const unsigned char* steps;
  bool grey;

  __device__ __forceinline__ int step(int place) const {
    const int step = steps[place];
    return step > kSteps || (!grey && step != kBrightness) ? kSteps : step;
  }
  __device__ __forceinline__ ColorSteps of_sample(std::int64_t sample) const {
    return {factors + sample * 4, steps + sample * 4, grey};
  }
};

// One block per piece of an image: greys[n, piece] = the sum of grey before the contrast, which is exact in double and
// so has one value: uint8 in units of 1, floating pixels rounded to units of 2^-24. x: (N, pixels, C).
template <class T, int C>
__global__ void __launch_bounds__(kThreads)
    color_grey_kernel(const T* x, ColorSteps<accumulate_t<T>> table, double* greys, std::int64_t pixels, int pieces) {
  SHARED_MEMORY(sums, double[kThreads]);
  const std::int64_t sample = blockIdx.x / unsigned(pieces), piece = blockIdx.x % unsigned(pieces);
  const auto steps = table.of_sample(sample);
  int before = 0;
  while (before < kSteps && steps.step(before) != kContrast) before++;
  if (before == kSteps) return;
  const std::int64_t length = (pixels + pieces - 1) / pieces, end = min(pixels, (piece + 1) * length);
  double total = 0;
  for (std::int64_t i = piece * length + threadIdx.x; i < end; i += kThreads) {
    ColorPixel<T, C> pixel(x + (sample * pixels + i) * C);
    for (int k = 0; k < before; k++) pixel.adjust(steps.step(k), steps.factors[steps.step(k) % kSteps], 0);
    total += kWholePixels<T> ? pixel.grey() : rint(product(pixel.grey(), accumulate_t<T>(0x1p24)));
  }
  sums[threadIdx.x] = total;
  for (int half = kThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (int(threadIdx.x) < half) sums[threadIdx.x] += sums[threadIdx.x + half];
  }
  if (threadIdx.x == 0) greys[blockIdx.x] = sums[0];
}

// x, y: (N, pixels, C). One thread per pixel. A block is of one sample; its first thread makes the mean of the grey.
template <class T, int C>
__global__ void __launch_bounds__(kThreads)
    image_color_kernel(const T* x, ColorSteps<accumulate_t<T>> table, const double* greys, T* y, std::int64_t pixels,
                       int pieces, unsigned blocks) {
  using A = accumulate_t<T>;
  SHARED_MEMORY(mean, double[1]);
  const std::int64_t sample = blockIdx.x / blocks;
  const std::int64_t i = std::int64_t(blockIdx.x % blocks) * kThreads + threadIdx.x;
  const auto steps = table.of_sample(sample);
  bool contrast = false;
  for (int k = 0; k < kSteps; k++) contrast = contrast || steps.step(k) == kContrast;
  if (contrast && threadIdx.x == 0) {
    double total = 0;
    for (int piece = 0; piece < pieces; piece++) total += greys[sample * pieces + piece];
    mean[0] = total / double(pixels) * (kWholePixels<T> ? 1 : 0x1p-24);
  }
  __syncthreads();
  if (i >= pixels) return;
  ColorPixel<T, C> pixel(x + (sample * pixels + i) * C);
  for (int k = 0; k < kSteps; k++) {
    const int step = steps.step(k);
    pixel.adjust(step, steps.factors[step % kSteps], step == kContrast ? A(mean[0]) : A(0));
  }
#pragma unroll
  for (int c = 0; c < C; c++) y[(sample * pixels + i) * C + c] = pixel_from<T>(pixel.values[c]);
}

std::int64_t pixels_of(const ImageShape& shape) { return std::int64_t(shape.height) * shape.width; }

// ---- launchers

template <class T, int C>
void launch_color(const ArrayView& x, const ColorSteps<accumulate_t<T>>& table, const ArrayView& y, double* greys,
                  const ImageShape& shape, simt::Stream stream) {
  const std::int64_t pieces = image_color_pieces(shape), pixels = pixels_of(shape) * (shape.channels / C);
  const std::int64_t blocks = ceil_div(pixels, kThreads);
  if (blocks > 0x7fffffff) throw TooLarge("too many pixels for one launch: " + std::to_string(pixels));
  if (table.grey) {
    simt::launch(one_dimensional(shape.samples * pieces * kThreads, stream), color_grey_kernel<T, C>, x.as<const T>(),
                 table, greys, pixels, int(pieces));
  }
  simt::launch(one_dimensional(shape.samples * blocks * kThreads, stream), image_color_kernel<T, C>, x.as<const T>(),
               table, static_cast<const double*>(greys), y.as<T>(), pixels, int(pieces), unsigned(blocks));
}

}  // namespace

std::int64_t image_color_pieces(const ImageShape& shape) {
  return std::min<std::int64_t>(kMostPieces, ceil_div(pixels_of(shape), kPixelsPerPiece));
}

void launch_image_color(const ArrayView& x, const ArrayView& factors, const ArrayView& steps, const ArrayView& y,
                        double* greys, const ImageShape& shape, simt::Stream stream) {
  if (y.size == 0) return;
  dispatch_pixels(x.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    using A = accumulate_t<T>;
    const bool grey = shape.channels == 1 || shape.channels == 3;
    const ColorSteps<A> table{factors.as<const A>(), steps.as<const unsigned char>(), grey};
    if (shape.channels == 3) {
      launch_color<T, 3>(x, table, y, greys, shape, stream);
    } else {
      launch_color<T, 1>(x, table, y, greys, shape, stream);
    }
  });
  CHECK_LAUNCH("image_color");
}
