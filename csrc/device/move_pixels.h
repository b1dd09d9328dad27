// Images made of pixels of images: the kernel and the launcher of every transform that only moves them.
//
// A Source is a struct with `__device__ PixelPlace operator()(sample, row, column) const`: the pixel of x that one of
// y shows. A place outside x is the fill, so no table can lead out of bounds.
#pragma once

#include "device/image_places.h"
#include "device/pixels.h"
#include "images.h"

// One thread per pixel of y and `share` of its units: the largest words of 1 to 16 bytes that a pixel consists of.
template <class Unit, class Source>
__global__ void __launch_bounds__(kThreads)
    move_pixels_kernel(const Unit* x, const Unit* fill, Unit* y, std::int64_t threads, PixelGroups groups, int units,
                       int share, int height, int width, Source source) {
  const std::int64_t thread = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (thread >= threads) return;
  const PixelGroup<1> at(groups, thread);
  const PixelPlace place = source(at.sample, at.row, at.column);
  const std::int64_t pixel = (at.sample * height + place.row) * width + place.column;
  const Unit* from = place.inside(height, width) ? x + pixel * units : fill;
  Unit* to = y + at.pixel * units;
  const int first = at.channel * share, last = min(first + share, units);
  for (int unit = first; unit < last; unit++) to[unit] = from[unit];
}

template <int Bytes, class Source>
void launch_move_units(const ArrayView& x, const ArrayView& fill, const ArrayView& y, const ImageShape& shape,
                       const Source& source, simt::Stream stream) {
  using Unit = typename Raw<Bytes>::type;
  const int units = int(shape.channels * dtype_bytes(x.dtype) / Bytes);
  const int share = Bytes == 16 ? 1 : std::min(units, 4), parts = int(ceil_div(units, share));
  const std::int64_t threads = shape.samples * shape.rows * shape.columns * parts;
  simt::launch(one_dimensional(threads, stream), move_pixels_kernel<Unit, Source>, x.as<const Unit>(),
               fill.as<const Unit>(), y.as<Unit>(), threads, PixelGroups(shape.rows, shape.columns, parts, 1), units,
               share, shape.height, shape.width, source);
}

template <class Source>
void launch_move_pixels(const ArrayView& x, const ArrayView& fill, const ArrayView& y, const ImageShape& shape,
                        const Source& source, simt::Stream stream) {
  if (y.size == 0) return;
  const std::uintptr_t together = reinterpret_cast<std::uintptr_t>(x.data) | reinterpret_cast<std::uintptr_t>(y.data) |
                                  reinterpret_cast<std::uintptr_t>(fill.data) |
                                  std::uintptr_t(shape.channels * dtype_bytes(x.dtype));
  if (together % 16 == 0) return launch_move_units<16>(x, fill, y, shape, source, stream);
  if (together % 8 == 0) return launch_move_units<8>(x, fill, y, shape, source, stream);
  if (together % 4 == 0) return launch_move_units<4>(x, fill, y, shape, source, stream);
  if (together % 2 == 0) return launch_move_units<2>(x, fill, y, shape, source, stream);
  launch_move_units<1>(x, fill, y, shape, source, stream);
}
