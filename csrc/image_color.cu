// Brightness, contrast, saturation and hue of images.
//
// Contrast needs the mean of the grey that the steps before it leave. So one launch sums that of each image, by pieces,
// and a second one computes those steps once more and the rest, and nothing between the two is stored.
#include "image_color.h"

#include "device/color_pixel.h"

// ---- kernels

namespace {

constexpr int kPixelsPerPiece = 4096, kMostPieces = 64;

// One block per piece of an image: greys[n, piece] = the sum of grey before the contrast, which is exact in double and
// so has one value: uint8 in units of 1, floating pixels rounded to units of 2^-24. x: (N, pixels, C).
template <class T, int C>
__global__ void __launch_bounds__(kThreads)
    color_grey_kernel(const T* x, ColorSteps<accumulate_t<T>> table, double* greys, std::int64_t pixels, int pieces) {
  SHARED_MEMORY(sums, double[kThreads]);
  const std::int64_t sample = blockIdx.x / unsigned(pieces), piece = blockIdx.x % unsigned(pieces);
  const auto steps = table.of_sample(sample);
  const int before = steps.before_contrast();
  if (before == kSteps) return;
  const std::int64_t length = (pixels + pieces - 1) / pieces, end = min(pixels, (piece + 1) * length);
  double total = 0;
  for (std::int64_t i = piece * length + threadIdx.x; i < end; i += kThreads) {
    ColorPixel<T, C> pixel(x + (sample * pixels + i) * C);
    pixel.adjust(steps, before, 0);
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
  const bool contrast = steps.before_contrast() < kSteps;
  if (contrast && threadIdx.x == 0) {
    double total = 0;
    for (int piece = 0; piece < pieces; piece++) total += greys[sample * pieces + piece];
    mean[0] = total / double(pixels) * (kWholePixels<T> ? 1 : 0x1p-24);
  }
  __syncthreads();
  if (i >= pixels) return;
  ColorPixel<T, C> pixel(x + (sample * pixels + i) * C);
  pixel.adjust(steps, kSteps, contrast ? A(mean[0]) : A(0));
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
