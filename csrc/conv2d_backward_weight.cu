// Gradient of a 2-D convolution's weight, and of the linear layer's.
#include "conv2d.h"
#include "conv2d_depthwise.h"
#include "device/conv2d_operands.h"
#include "dispatch.h"

// ---- kernels

namespace {

// One block per 64 filters and 64 places of the window of a group, and per split: rows are the filters' columns of dy,
// columns the places (R, S, channels of a group) of the windows of x, the depth is a split's `pixels_of_split` of all
// pixels. dy: (pixels, K), x: (N, H, W, C), dweight: (K, R, S, C / groups). Where there are several splits each writes
// its sums to partials: (splits, K, R, S, C / groups); else partials is null. `runs` as in store_sums.
template <class T, bool kVectors>
__global__ void __launch_bounds__(kTileThreads, kTileBlocks<T>)
    conv2d_backward_weight_kernel(const T* dy, const T* x, T* dweight, accumulate_t<T>* partials, Window window,
                                  std::int64_t pixels, std::int64_t pixels_of_split, std::int64_t filters,
                                  std::int64_t groups, TileGrid grid, bool runs) {
  using A = accumulate_t<T>;
  const std::int64_t first_row = grid.first_row(), first_column = grid.first_column();
  const std::int64_t group = grid.product() % groups, split = grid.product() / groups;
  const std::int64_t all_filters = groups * filters, places = window.depth();
  const std::int64_t begin = split * pixels_of_split, end = min(pixels, begin + pixels_of_split);
  PixelColumns<T, kVectors> rows(dy + group * filters, all_filters, begin, first_row, filters);
  WindowColumns<T, kVectors> columns(x + group * window.channels, window, begin, first_column);
  ThreadTile<A> tile;
  multiply_tiles<T>(tile, rows, columns, end - begin);
  const A none[kColumnsOfThread] = {};
#pragma unroll
  for (int i = 0; i < kRowsOfThread; i++) {
    const std::int64_t filter = first_row + tile.row(i);
    if (filter >= filters) continue;
    const std::int64_t row = group * filters + filter;
    if (partials == nullptr) {
      store_sums(dweight + row * places, tile, i, first_column, places, none, runs);
    } else {
      store_sums(partials + (split * all_filters + row) * places, tile, i, first_column, places, none, runs);
    }
  }
}

// One thread per 16 bytes of dweight. partials: (splits, size), summed in order.
template <class T>
__global__ void __launch_bounds__(kThreads)
    sum_splits_kernel(const accumulate_t<T>* partials, T* dweight, std::int64_t size, std::int64_t splits,
                      bool partials_aligned, bool aligned) {
  constexpr int N = kVector<T>;
  const std::int64_t first = (std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x) * N;
  if (first >= size) return;
  accumulate_t<T> sums[N] = {};
  for (std::int64_t split = 0; split < splits; split++) {
    accumulate_t<T> terms[N];
    load_group<N>(terms, partials + split * size, first, 0, size, partials_aligned);
#pragma unroll
    for (int j = 0; j < N; j++) sums[j] += terms[j];
  }
  store_group<N>(dweight, sums, first, 0, size, aligned);
}

// ---- launchers

// How the pixels are cut, from the shape alone: into as many splits as give every multiprocessor of a large GPU a few
// blocks, of not too few pixels each to pay for the second pass.
struct Splits {
  std::int64_t count, pixels;

  explicit Splits(const Conv2dShape& s) {
    constexpr std::int64_t kBlocks = 512, kFewestPixels = 256;
    const std::int64_t all = s.N * s.P * s.Q;
    const std::int64_t tiles = s.groups * ceil_div(s.K / s.groups, kTileExtent) *
                               ceil_div(s.R * s.S * (s.C / s.groups), kTileExtent);
    const std::int64_t most = std::min(ceil_div(kBlocks, tiles), ceil_div(all, kFewestPixels));
    pixels = ceil_div(ceil_div(all, std::max<std::int64_t>(most, 1)), kTileDepth) * kTileDepth;
    count = std::max<std::int64_t>(ceil_div(all, std::max<std::int64_t>(pixels, 1)), 1);
  }
};

}  // namespace

std::size_t conv2d_backward_weight_scratch(const Conv2dShape& shape, DType dtype) {
  if (is_depthwise(shape)) return conv2d_depthwise_backward_weight_scratch(shape, dtype);
  const std::int64_t size = shape.K * shape.R * shape.S * (shape.C / shape.groups);
  if (size == 0) return 0;
  const Splits splits(shape);
  if (splits.count == 1) return 0;
  return std::size_t(splits.count * size * accumulate_bytes(dtype));
}

void launch_conv2d_backward_weight(const ArrayView& dy, const ArrayView& x, const ArrayView& dweight, void* scratch,
                                   const Conv2dShape& shape, simt::Stream stream) {
  if (dweight.size == 0) return;
  if (is_depthwise(shape)) {
    return launch_conv2d_depthwise_backward_weight(dy, x, dweight, scratch, shape, stream);
  }
  const Conv2dShape s = flattened(shape);
  const Splits splits(s);
  const Window window = forward_window(s);
  const std::int64_t filters = s.K / s.groups, places = window.depth(), products = s.groups * splits.count;
  const TileGrid grid = tile_grid(filters, places, products);
  dispatch_float(dy.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    using A = accumulate_t<T>;
    const bool vectors = whole_vectors<T>(filters) && whole_vectors<T>(window.channels) && vector_aligned(dy) &&
                         vector_aligned(x);
    A* partials = splits.count == 1 ? nullptr : static_cast<A*>(scratch);
    simt::launch(tile_launch(grid, products, stream),
                 vectors ? conv2d_backward_weight_kernel<T, true> : conv2d_backward_weight_kernel<T, false>,
                 dy.as<const T>(), x.as<const T>(), dweight.as<T>(), partials, window, s.N * s.P * s.Q, splits.pixels,
                 filters, s.groups, grid,
                 partials == nullptr ? writes_runs<T>(dweight.data, places) : writes_runs<A>(partials, places));
    if (partials == nullptr) return;
    simt::launch(one_dimensional(ceil_div(dweight.size, kVector<T>), stream), sum_splits_kernel<T>, partials,
                 dweight.as<T>(), dweight.size, splits.count, dweight.size % kVector<A> == 0, vector_aligned(dweight));
  });
  CHECK_LAUNCH("conv2d_backward_weight");
}
