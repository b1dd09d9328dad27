// Affine maps of images.
#include "image_affine.h"

#include "device/image_values.h"
#include "device/move_pixels.h"
#include "device/rounded.h"

// ---- kernels

namespace {

constexpr int kChannelsPerThread = 4;

// One of the two coordinates in x of pixel (row, column) of y, cut to [-1, extent]; line : a row of the matrix.
__device__ __forceinline__ float affine_place(const float* line, int row, int column, bool whole, int extent) {
  float place = sum(sum(product(line[0], float(column)), product(line[1], float(row))), line[2]);
  if (whole) place = rint(place);
  return place > -1 ? min(place, float(extent)) : -1;  // NaN too lies outside
}

struct NearestSource {
  const float* matrices;  // (N, 2, 3)
  int height, width;

  __device__ __forceinline__ PixelPlace operator()(std::int64_t sample, int row, int column) const {
    const float* matrix = matrices + sample * 6;
    return {int(affine_place(matrix + 3, row, column, true, height)),
            int(affine_place(matrix, row, column, true, width))};
  }
};

// first + weight * (second - first), each operation rounded.
template <class A>
__device__ __forceinline__ A between(A first, A second, A weight) {
  return sum(product(difference(second, first), weight), first);
}

// One thread per pixel of y and up to four of its channels: between four neighbours, which are the fill outside x.
template <class T>
__global__ void __launch_bounds__(kThreads)
    affine_bilinear_kernel(const T* x, const float* matrices, const T* fill, T* y, std::int64_t threads,
                           PixelGroups groups, int channels, int height, int width) {
  using A = accumulate_t<T>;
  const std::int64_t thread = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (thread >= threads) return;
  const PixelGroup<1> at(groups, thread);
  const float* matrix = matrices + at.sample * 6;
  const float u = affine_place(matrix, at.row, at.column, false, width), left = floor(u);
  const float v = affine_place(matrix + 3, at.row, at.column, false, height), top = floor(v);
  const A s = A(v - top), t = A(u - left);
  const int i = int(top), j = int(left);
  const bool in_row[2] = {i >= 0 && i < height, i + 1 >= 0 && i + 1 < height};
  const bool in_column[2] = {j >= 0 && j < width, j + 1 >= 0 && j + 1 < width};
  const std::int64_t corner = ((at.sample * height + i) * width + j) * channels;
  const std::int64_t below = std::int64_t(width) * channels;
  const int first = at.channel * kChannelsPerThread, last = min(first + kChannelsPerThread, channels);
  for (int c = first; c < last; c++) {
    A rows[2];
#pragma unroll
    for (int k = 0; k < 2; k++) {
      const std::int64_t pixel = corner + k * below + c;
      const A a = pixel_value(in_row[k] && in_column[0] ? x[pixel] : fill[c]);
      const A b = pixel_value(in_row[k] && in_column[1] ? x[pixel + channels] : fill[c]);
      rows[k] = between(a, b, t);
    }
    y[at.pixel * channels + c] = pixel_from<T>(between(rows[0], rows[1], s));
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
