// Gradient of a 2-D convolution's input, which is a transposed convolution.
#include <numeric>

#include "conv2d.h"
#include "conv2d_depthwise.h"
#include "device/conv2d_operands.h"
#include "dispatch.h"

// ---- kernels

namespace {

// One axis of dx. Its rows start, start + stride, ... are a phase of the stride: they meet the same taps, first, first
// + step, ..., those for which start + padding - tap * dilation is a multiple of the stride, so that none is multiplied
// in vain. From one of them to the next dy goes back by `spread` rows.
struct PhaseAxis {
  int extent, field, stride, padding, dilation;
  int phases, step, spread;

  PhaseAxis(std::int64_t extent_, std::int64_t field_, std::int64_t stride_, std::int64_t padding_,
            std::int64_t dilation_)
      : extent(int(extent_)), field(int(field_)), stride(int(stride_)), padding(int(padding_)),
        dilation(int(dilation_)), phases(int(std::min(stride_, extent_))) {
    const int common = std::gcd(stride, dilation);
    step = stride / common;
    spread = dilation / common;
  }
};

struct Phase {
  int start, rows, first, taps, origin;  // the first tap of the phase's row i is at row i + origin of dy

  __device__ Phase(const PhaseAxis& axis, int start_)
      : start(start_), rows((axis.extent - 1 - start_) / axis.stride + 1), first(0), taps(0), origin(0) {
    for (int tap = 0; tap < axis.step && tap < axis.field; tap++) {
      const std::int64_t distance = std::int64_t(start) + axis.padding - std::int64_t(tap) * axis.dilation;
      if (distance % axis.stride != 0) continue;
      first = tap;
      taps = (axis.field - 1 - tap) / axis.step + 1;
      origin = int(distance / axis.stride);
      break;
    }
  }
};

struct DataShape {
  std::int64_t images;
  int P, Q;
  std::int64_t K, C;              // of all groups
  std::int64_t filters, channels;  // of a group
};

// One block per 64 pixels of one phase of dx, in the order of memory, and 64 channels of a group: rows are the pixels
// of dy that a pixel of dx reached, columns the channels, the depth (taps of the phase, filters of a group). A phase
// without taps has no depth: its gradient is 0. dy: (N, P, Q, K), weight: (K, R, S, C / groups), dx: (N, H, W, C),
// bias: (C,) or null. `runs` as in store_sums.
template <class T, bool kVectors>
__global__ void __launch_bounds__(kTileThreads, kTileBlocks<T>)
    conv2d_backward_data_kernel(const T* dy, const T* weight, const T* bias, T* dx, DataShape s, PhaseAxis h,
                                PhaseAxis w, TileGrid grid, bool runs) {
  using A = accumulate_t<T>;
  const unsigned product = grid.product();
  const Phase down(h, int(product / w.phases % h.phases)), across(w, int(product % w.phases));
  const std::int64_t group = product / w.phases / h.phases;
  const std::int64_t pixels = s.images * down.rows * across.rows;
  const std::int64_t first_row = grid.first_row(), first_column = grid.first_column();
  if (first_row >= pixels) return;  // of a phase with fewer pixels than the first

  const bool meets = down.taps > 0 && across.taps > 0;
  const Window window{s.K,         unsigned(s.filters),   s.P,        s.Q, down.rows, across.rows, 1, 1, down.origin,
                      across.origin, -h.spread, -w.spread, meets ? down.taps : 0, meets ? across.taps : 1};
  const PhaseTaps taps{h.field, w.field, down.first, across.first, h.step, w.step};
  WindowRows<T, kVectors> rows(dy + group * s.filters, window, first_row, pixels);
  FilterColumns<T, kVectors> columns(weight + group * s.filters * h.field * w.field * s.channels, window, taps,
                                     first_column, s.channels);
  ThreadTile<A> tile;
  multiply_tiles<T>(tile, rows, columns, window.depth());

  A biases[kColumnsOfThread];
  load_bias(biases, bias == nullptr ? bias : bias + group * s.channels, first_column, s.channels);
  const bool whole = h.phases == 1 && w.phases == 1;
#pragma unroll
  for (int i = 0; i < kRowsOfThread; i++) {
    std::int64_t pixel = first_row + tile.row(i);
    if (pixel >= pixels) continue;
    if (!whole) {
      const PixelCursor at(pixel, down.rows, across.rows);
      pixel = (at.n * h.extent + down.start + at.p * h.stride) * w.extent + across.start + at.q * w.stride;
    }
    store_sums(dx + pixel * s.C + group * s.channels, tile, i, first_column, s.channels, biases, runs);
  }
}

}  // namespace

// ---- launchers

void launch_conv2d_backward_data(const ArrayView& dy, const ArrayView& weight, const ArrayView& bias,
                                 const ArrayView& dx, const Conv2dShape& shape, simt::Stream stream) {
  if (dx.size == 0) return;
  if (is_depthwise(shape)) return launch_conv2d_depthwise_backward_data(dy, weight, bias, dx, shape, stream);
  const Conv2dShape s = flattened(shape);
  const DataShape data{s.N, int(s.P), int(s.Q), s.K, s.C, s.K / s.groups, s.C / s.groups};
  const PhaseAxis h(s.H, s.R, s.stride_h, s.pad_h, s.dilation_h), w(s.W, s.S, s.stride_w, s.pad_w, s.dilation_w);
  const std::int64_t most_pixels = s.N * ceil_div(s.H, s.stride_h) * ceil_div(s.W, s.stride_w);
  const std::int64_t products = s.groups * h.phases * w.phases;
  const TileGrid grid = tile_grid(most_pixels, data.channels, products);
  dispatch_float(dy.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const bool vectors = whole_vectors<T>(data.filters) && whole_vectors<T>(data.channels) && vector_aligned(dy) &&
                         vector_aligned(weight);
    simt::launch(tile_launch(grid, products, stream),
                 vectors ? conv2d_backward_data_kernel<T, true> : conv2d_backward_data_kernel<T, false>,
                 dy.as<const T>(), weight.as<const T>(), bias.as<const T>(), dx.as<T>(), data, h, w, grid,
                 writes_runs<T>(dx.data, data.channels));
  });
  CHECK_LAUNCH("conv2d_backward_data");
}
