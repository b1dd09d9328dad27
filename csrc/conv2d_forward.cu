// 2-D convolution forward, and the linear layer's.
#include "conv2d.h"
#include "conv2d_depthwise.h"
#include "device/conv2d_operands.h"
#include "dispatch.h"

// ---- kernels

namespace {

// One block per 64 pixels of y, in the order of memory, and 64 filters of a group: rows are the pixels' windows,
// columns the filters, the depth (R, S, channels of a group). x: (N, H, W, C), weight: (K, depth), y: (pixels, K),
// bias: (K,) or null. `runs` as in store_sums.
template <class T, bool kVectors>
__global__ void __launch_bounds__(kTileThreads, kTileBlocks<T>)
    conv2d_forward_kernel(const T* x, const T* weight, const T* bias, T* y, Window window, std::int64_t pixels,
                          std::int64_t filters, std::int64_t all_filters, TileGrid grid, bool runs) {
  using A = accumulate_t<T>;
  const std::int64_t first_row = grid.first_row(), first_column = grid.first_column(), group = grid.product();
  const std::int64_t depth = window.depth(), first_filter = group * filters;
  WindowRows<T, kVectors> rows(x + group * window.channels, window, first_row, pixels);
  FilterRows<T, kVectors> columns(weight + first_filter * depth, depth, first_column, filters);
  ThreadTile<A> tile;
  multiply_tiles<T>(tile, rows, columns, depth);
  A biases[kColumnsOfThread];
  load_bias(biases, bias == nullptr ? bias : bias + first_filter, first_column, filters);
#pragma unroll
  for (int i = 0; i < kRowsOfThread; i++) {
    const std::int64_t pixel = first_row + tile.row(i);
    if (pixel >= pixels) continue;
    store_sums(y + pixel * all_filters + first_filter, tile, i, first_column, filters, biases, runs);
  }
}

}  // namespace

// ---- launchers

void launch_conv2d_forward(const ArrayView& x, const ArrayView& weight, const ArrayView& bias, const ArrayView& y,
                           const Conv2dShape& shape, simt::Stream stream) {
  if (y.size == 0) return;
  if (is_depthwise(shape)) return launch_conv2d_depthwise_forward(x, weight, bias, y, shape, stream);
  const Conv2dShape s = flattened(shape);
  const std::int64_t pixels = s.N * s.P * s.Q, filters = s.K / s.groups;
  const Window window = forward_window(s);
  const TileGrid grid = tile_grid(pixels, filters, s.groups);
  dispatch_float(x.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const bool vectors = whole_vectors<T>(window.channels) && vector_aligned(x) && vector_aligned(weight);
    simt::launch(tile_launch(grid, s.groups, stream),
                 vectors ? conv2d_forward_kernel<T, true> : conv2d_forward_kernel<T, false>, x.as<const T>(),
                 weight.as<const T>(), bias.as<const T>(), y.as<T>(), window, pixels, filters, s.K, grid,
                 writes_runs<T>(y.data, filters));
  });
  CHECK_LAUNCH("conv2d_forward");
}
