// Crop, affine map, colour, erasing and normalisation of uint8 images in one launch.
//
// A pixel of the result is followed back to the one or four pixels of x that it shows, so nothing between two stages
// is stored. Contrast needs the mean of the grey of an image as the stages before leave it: every block of that image
// makes the sum by itself, of integers, and then goes over its own pixels again.
#include "image_augment.h"

#include "device/color_pixel.h"
#include "device/image_places.h"
#include "device/normalized.h"
#include "device/pixels.h"
#include "device/reduce.h"

// ---- kernels

namespace {

using Pixel = unsigned char;
constexpr int kWarp = 32, kMostThreads = 1024;

// Crop and affine map.
struct AugmentSource {
  const Pixel* x;   // (N, H, W, C)
  CropSource crop;  // rows null: none
  const Pixel *crop_fill, *affine_fill;
  const float* matrices;  // null: none
  int height, width, channels, cropped_height, cropped_width;
  bool bilinear;

  // The channels of the pixel of y at `at`, from at.channel on.
  template <int C>
  __device__ __forceinline__ void load(float (&values)[C], const PixelGroup<C>& at) const {
    if (matrices == nullptr) {
      take(values, cropped(at.sample, {at.row, at.column}), at.channel);
    } else if (!bilinear) {
      const NearestSource nearest{matrices, cropped_height, cropped_width};
      take(values, neighbour(at.sample, nearest(at.sample, at.row, at.column)), at.channel);
    } else {
      const FourNeighbours<float> around(matrices + at.sample * 6, at.row, at.column, cropped_height, cropped_width);
      const Pixel* pixels[2][2];
#pragma unroll
      for (int k = 0; k < 4; k++) {
        pixels[k / 2][k % 2] = neighbour(at.sample, around.neighbour(k / 2, k % 2));
      }
#pragma unroll
      for (int c = 0; c < C; c++) values[c] = whole_pixel(around.value(pixels, at.channel + c));
    }
  }

 private:
  template <int C>
  __device__ __forceinline__ static void take(float (&values)[C], const Pixel* pixel, int channel) {
#pragma unroll
    for (int c = 0; c < C; c++) values[c] = pixel_value(pixel[channel + c]);
  }

  // The channels of a pixel of the cropped image.
  __device__ __forceinline__ const Pixel* cropped(std::int64_t sample, PixelPlace place) const {
    if (crop.rows != nullptr) {
      place = crop(sample, place.row, place.column);
      if (!place.inside(height, width)) return crop_fill;
    }
    return x + ((sample * height + place.row) * width + place.column) * channels;
  }

  // The same at any place.
  __device__ __forceinline__ const Pixel* neighbour(std::int64_t sample, PixelPlace place) const {
    return place.inside(cropped_height, cropped_width) ? cropped(sample, place) : affine_fill;
  }
};

// Erasing, normalisation, and erasing again.
template <class Y>
struct AugmentEnd {
  using A = accumulate_t<Y>;
  const int* edges;  // null: none
  const Pixel* value;
  const A *mean, *factor;  // null where Y is uint8
  const int* edges_after;  // null: none
  const Y* value_after;

  template <int C>
  __device__ __forceinline__ bool erased(const PixelGroup<C>& at) const {
    return in_box(edges, at) || in_box(edges_after, at);
  }

  template <int C>
  __device__ __forceinline__ void store(Y* y, const float (&values)[C], const PixelGroup<C>& at) const {
    const bool before = in_box(edges, at), after = in_box(edges_after, at);
#pragma unroll
    for (int c = 0; c < C; c++) {
      const int channel = at.channel + c;
      y[c] = after ? value_after[channel] : cast(before ? pixel_value(value[channel]) : values[c], channel);
    }
  }

 private:
  template <int C>
  __device__ __forceinline__ static bool in_box(const int* boxes, const PixelGroup<C>& at) {
    return boxes != nullptr && is_erased(boxes + at.sample * 4, at.row, at.column);
  }

  __device__ __forceinline__ Y cast(float pixel, int channel) const {
    if constexpr (kWholePixels<Y>) {
      return pixel_from<Y>(pixel);
    } else {
      return cast_from<Y>(normalized(A(pixel), mean[channel], factor[channel]));
    }
  }
};

// Images as groups of C channels of a pixel, `groups` of them, and how blocks share them: `length` each.
struct AugmentCut {
  PixelGroups grid;
  std::int64_t groups, length;
  unsigned pieces;
  int threads;

  // Every piece of an image with colours may have to sum the whole image, so there are no more of those than a GPU has
  // multiprocessors, about.
  AugmentCut(const ImageShape& shape, int C, bool colored)
      : grid(shape.rows, shape.columns, shape.channels, C),
        groups(std::int64_t(shape.rows) * shape.columns * (shape.channels / C)) {
    constexpr std::int64_t kMultiprocessors = 128;
    const std::int64_t most = ceil_div(groups, colored ? kMostThreads : kThreads);
    const std::int64_t wanted = colored ? std::max<std::int64_t>(1, kMultiprocessors / shape.samples) : most;
    length = ceil_div(ceil_div(groups, std::min(most, wanted)), kWarp) * kWarp;
    const std::int64_t count = ceil_div(groups, length);
    if (count > 0x7fffffff) throw TooLarge("too many pixels for one launch: " + std::to_string(groups));
    pieces = unsigned(count);
    threads = int(std::min<std::int64_t>(length, kMostThreads));
  }
};

// Of the grey that the steps before the contrast leave. All threads of the block call.
template <int C>
__device__ __forceinline__ float mean_grey(const AugmentSource& source, const ColorSteps<float>& steps, int before,
                                           const AugmentCut& cut, std::int64_t sample) {
  std::int64_t total = 0;
  for (std::int64_t i = threadIdx.x; i < cut.groups; i += blockDim.x) {
    ColorPixel<Pixel, C> pixel;
    source.load(pixel.values, PixelGroup<C>(cut.grid, sample * cut.groups + i));
    pixel.adjust(steps, before, 0);
    total += int(pixel.grey());
  }
  return float(double(block_reduce(total, Sum{})) / double(cut.groups));
}

// Elements [0, count) of a warp's tile, in groups of 16 bytes where y is aligned to them.
template <class Y>
__device__ __forceinline__ void store_tile(Y* y, const uint4* tile, int count, int lane, bool aligned) {
  constexpr int N = kVector<Y>;
  const int whole = aligned ? count / N : 0;
  for (int i = lane; i < whole; i += kWarp) reinterpret_cast<uint4*>(y)[i] = tile[i];
  const Y* elements = reinterpret_cast<const Y*>(tile);
  for (int i = whole * N + lane; i < count; i += kWarp) y[i] = elements[i];
}

// y: (N, P, Q, C). Blocks of one image have its pieces; a warp has groups that follow one another, and turns them in
// shared memory so that its stores do. aligned : every image of y begins at a multiple of 16 bytes.
template <class Y, int C>
__global__ void __launch_bounds__(kMostThreads)
    image_augment_kernel(AugmentSource source, ColorSteps<float> colors, AugmentEnd<Y> end, Y* y, AugmentCut cut,
                         bool aligned) {
  SHARED_MEMORY(tiles, uint4[kMostThreads / kWarp][kWarp * C * sizeof(Y) / sizeof(uint4)]);
  const std::int64_t sample = blockIdx.x / cut.pieces, piece = blockIdx.x % cut.pieces;
  const bool colored = colors.steps != nullptr;
  const ColorSteps<float> steps = colored ? colors.of_sample(sample) : colors;
  const int before = colored ? steps.before_contrast() : kSteps;
  const float mean = before < kSteps ? mean_grey<C>(source, steps, before, cut, sample) : 0;

  const int warp = int(threadIdx.x) / kWarp, lane = int(threadIdx.x) % kWarp;
  Y* tile = reinterpret_cast<Y*>(tiles[warp]);
  const std::int64_t stop = min(cut.groups, (piece + 1) * cut.length);
  for (std::int64_t first = piece * cut.length + warp * kWarp; first < stop; first += blockDim.x) {
    const int count = int(min(stop - first, std::int64_t(kWarp)));
    if (lane < count) {
      const PixelGroup<C> at(cut.grid, sample * cut.groups + first + lane);
      ColorPixel<Pixel, C> pixel = {};
      if (!end.erased(at)) {
        source.load(pixel.values, at);
        if (colored) pixel.adjust(steps, kSteps, mean);
      }
      end.store(tile + lane * C, pixel.values, at);
    }
    __syncwarp();
    store_tile(y + (sample * cut.groups + first) * C, tiles[warp], count * C, lane, aligned);
    __syncwarp();  // before the tile is written again
  }
}

// ---- launchers

template <class Y, int C>
void launch_augment(const AugmentSource& source, const ColorSteps<float>& colors, const AugmentTables& tables,
                    const ArrayView& y, const ImageShape& shape, simt::Stream stream) {
  using A = accumulate_t<Y>;
  const AugmentEnd<Y> end{tables.edges.as<const int>(),       tables.value.as<const Pixel>(),
                          tables.mean.as<const A>(),          tables.factor.as<const A>(),
                          tables.edges_after.as<const int>(), tables.value_after.as<const Y>()};
  const AugmentCut cut(shape, C, colors.steps != nullptr);
  const std::int64_t blocks = shape.samples * cut.pieces;
  if (blocks > 0x7fffffff) throw TooLarge("too many images for one launch: " + std::to_string(shape.samples));
  const bool aligned = vector_aligned(y) && cut.groups * C % kVector<Y> == 0;
  const simt::LaunchConfig config{dim3(unsigned(blocks)), dim3(unsigned(cut.threads)), 0, stream};
  simt::launch(config, image_augment_kernel<Y, C>, source, colors, end, y.as<Y>(), cut, aligned);
}

}  // namespace

void launch_image_augment(const ArrayView& x, const AugmentTables& tables, const ArrayView& y, const ImageShape& shape,
                          bool bilinear, simt::Stream stream) {
  if (y.size == 0) return;
  const bool crop = !tables.rows.shape.empty();  // a table without elements has no data either
  const int height = crop ? int(tables.rows.shape[1]) : shape.height;
  const int width = crop ? int(tables.columns.shape[1]) : shape.width;
  const AugmentSource source{x.as<const Pixel>(),
                             {tables.rows.as<const int>(), tables.columns.as<const int>(), height, width},
                             tables.crop_fill.as<const Pixel>(),
                             tables.affine_fill.as<const Pixel>(),
                             tables.matrices.as<const float>(),
                             shape.height,
                             shape.width,
                             shape.channels,
                             height,
                             width,
                             bilinear};
  const bool grey = shape.channels == 1 || shape.channels == 3;
  const ColorSteps<float> colors{tables.factors.as<const float>(), tables.steps.as<const Pixel>(), grey};
  dispatch_pixels(y.dtype, [&](auto type) {
    using Y = typename decltype(type)::type;
    if (shape.channels == 3) {
      launch_augment<Y, 3>(source, colors, tables, y, shape, stream);
    } else {
      launch_augment<Y, 1>(source, colors, tables, y, shape, stream);
    }
  });
  CHECK_LAUNCH("image_augment");
}
