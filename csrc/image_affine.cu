// Affine maps of images.
#include "image_affine.h"

#include "device/image_places.h"
#include "device/move_pixels.h"

// ---- kernels

namespace {

constexpr int kChannelsPerThread = 4;

// One thread per pixel of y and up to four of its channels: between four neighbours, which are the fill outside x.
template <class T>
__global__ void __launch_bounds__(kThreads)
    affine_bilinear_kernel(const T* x, const float* matrices, const T* fill, T* y, std::int64_t threads,
                           PixelGroups groups, int channels, int height, int width) {
  using A = accumulate_t<T>;
  const std::int64_t thread = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (thread >= threads) return;
  const PixelGroup<1> at(groups, thread);
  const FourNeighbours<A> around(matrices + at.sample * 6, at.row, at.column, height, width);
  const T* pixels[2][2];
#pragma unroll
  for (int k = 0; k < 4; k++) {
    const PixelPlace place = around.neighbour(k / 2, k % 2);
    const std::int64_t pixel = (at.sample * height + place.row) * width + place.column;
    pixels[k / 2][k % 2] = place.inside(height, width) ? x + pixel * channels : fill;
  }
  const int first = at.channel * kChannelsPerThread, last = min(first + kChannelsPerThread, channels);
  for (int c = first; c < last; c++) {
    y[at.pixel * channels + c] = pixel_from<T>(around.value(pixels, c));
  }
}

}  // namespace

// ---- launchers

void launch_image_affine(const ArrayView& x, const ArrayView& matrices, const ArrayView& fill, const ArrayView& y,
                         const ImageShape& shape, bool bilinear, simt::Stream stream) {
  if (y.size == 0) return;
  if (!bilinear) {
    launch_move_pixels(x, fill, y, shape, NearestSource{matrices.as<const float>(), shape.height, shape.width}, stream);
  } else {
    const int parts = int(ceil_div(shape.channels, kChannelsPerThread));
    const std::int64_t threads = shape.samples * shape.rows * shape.columns * parts;
    dispatch_pixels(x.dtype, [&](auto type) {
      using T = typename decltype(type)::type;
      simt::launch(one_dimensional(threads, stream), affine_bilinear_kernel<T>, x.as<const T>(),
                   matrices.as<const float>(), fill.as<const T>(), y.as<T>(), threads,
                   PixelGroups(shape.rows, shape.columns, parts, 1), shape.channels, shape.height, shape.width);
    });
  }
  CHECK_LAUNCH("image_affine");
}
