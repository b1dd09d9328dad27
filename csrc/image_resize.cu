// Images at another size.
#include "image_resize.h"

#include "device/image_values.h"
#include "device/pixels.h"
#include "device/rounded.h"

// ---- kernels

namespace {

constexpr int kChannelsPerThread = 4;

// The taps of one axis. What tables say beyond the image or beyond their own end is cut.
template <class A>
struct Taps {
  const int* first;
  const A* weights;
  const int* count;
  int places, longest, extent;  // of the first two tables, and of the axis of x

  __device__ __forceinline__ int of_sample(std::int64_t sample) const { return min(count[sample], longest); }
  __device__ __forceinline__ int start(std::int64_t sample, int place) const { return first[sample * places + place]; }
  __device__ __forceinline__ A weight(std::int64_t sample, int place, int t) const {
    return weights[(sample * places + place) * longest + t];
  }
  __device__ __forceinline__ int pixel(int start, int t) const {
    return int(max(std::int64_t(0), min(std::int64_t(start) + t, std::int64_t(extent) - 1)));
  }
};

// One thread per pixel of y and up to four of its channels: rows are summed first, in ascending order, then columns.
// Sums start from -0, which leaves every first product as it is.
template <class T>
__global__ void __launch_bounds__(kThreads)
    image_resize_kernel(const T* x, Taps<accumulate_t<T>> rows, Taps<accumulate_t<T>> columns, T* y,
                        std::int64_t threads, PixelGroups groups, int channels) {
  using A = accumulate_t<T>;
  const std::int64_t thread = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (thread >= threads) return;
  const PixelGroup<1> at(groups, thread);
  const int height = rows.of_sample(at.sample), width = columns.of_sample(at.sample);
  const int top = rows.start(at.sample, at.row), left = columns.start(at.sample, at.column);
  const T* image = x + at.sample * rows.extent * columns.extent * channels;
  const int first = at.channel * kChannelsPerThread, last = min(first + kChannelsPerThread, channels);
  for (int c = first; c < last; c++) {
    A total = A(-0.0);
    for (int j = 0; j < width; j++) {
      const std::int64_t column = columns.pixel(left, j);
      A down = A(-0.0);
      for (int i = 0; i < height; i++) {
        const std::int64_t pixel = std::int64_t(rows.pixel(top, i)) * columns.extent + column;
        down = sum(down, product(pixel_value(image[pixel * channels + c]), rows.weight(at.sample, at.row, i)));
      }
      total = sum(total, product(down, columns.weight(at.sample, at.column, j)));
    }
    y[at.pixel * channels + c] = pixel_from<T>(total);
  }
}

template <class A>
Taps<A> taps_of(const ResizeTaps& taps, int extent) {
  return {taps.first.as<const int>(), taps.weights.as<const A>(), taps.count.as<const int>(), int(taps.first.shape[1]),
          int(taps.weights.shape[2]), extent};
}

}  // namespace

// ---- launchers

void launch_image_resize(const ArrayView& x, const ResizeTaps& rows, const ResizeTaps& columns, const ArrayView& y,
                         const ImageShape& shape, simt::Stream stream) {
  if (y.size == 0) return;
  const int parts = int(ceil_div(shape.channels, kChannelsPerThread));
  const std::int64_t threads = shape.samples * shape.rows * shape.columns * parts;
  dispatch_pixels(x.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    using A = accumulate_t<T>;
    simt::launch(one_dimensional(threads, stream), image_resize_kernel<T>, x.as<const T>(),
                 taps_of<A>(rows, shape.height), taps_of<A>(columns, shape.width), y.as<T>(), threads,
                 PixelGroups(shape.rows, shape.columns, parts, 1), shape.channels);
  });
  CHECK_LAUNCH("image_resize");
}
