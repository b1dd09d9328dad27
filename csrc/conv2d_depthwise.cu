// Depthwise convolution, forward and backward to its data: each channel is correlated with its own filters.
#include "conv2d_depthwise.h"

#include "device/depthwise.h"

// ---- kernels

namespace {

constexpr int kOutputs = 4;     // neighbours along a row that one thread computes
constexpr int kColumnTaps = 3;  // of a row of the window, held at a time

// What the sliding kernel's threads compute: pieces of kOutputs pixels of a row, of `strip` rows that are neighbours in
// a block, so that the rows which their windows share are read while the first reader has them in L1.
struct Pieces {
  std::int64_t strip, along, down, count;

  explicit Pieces(const Correlation& c)
      : strip(c.rows.outputs > 1 ? 2 : 1),
        along(ceil_div(c.columns.outputs, kOutputs)),
        down(ceil_div(c.rows.outputs, strip)),
        count(c.images * down * along * strip) {}
};

// One thread per piece and 16 bytes of channels, a block per tile of channels and `rounds` times tile.depth pieces.
// in: (images, rows, columns, C), weight: (C, field), bias: (C,) or null. Each vector of the input is loaded once for
// all of the piece's windows that it lies in. The axis of the columns has step 1, divisor 1 and scale kScale.
template <class T, int kScale>
__global__ void __launch_bounds__(kThreads, 2)
    depthwise_sliding_kernel(const T* in, const T* weight, const T* bias, T* out, Correlation c, Pieces pieces,
                             BlockTile tile, std::int64_t workers) {
  constexpr int N = kVector<T>, kSpan = (kOutputs - 1) * kScale + kColumnTaps;
  using A = accumulate_t<T>;
  DYNAMIC_SHARED_MEMORY(filters, T);
  const int pitch = tap_pitch<T, N>(tile), R = c.rows.taps, S = c.columns.taps;
  const std::int64_t first = std::int64_t(blockIdx.x) % tile.tiles * tile.lanes * N;
  stage_filters(filters, weight, c, first, tile.lanes * N, pitch, 0, R * S);
  __syncthreads();
  const std::int64_t channel = first + tile.lane() * N, channels = c.out_channels;
  if (channel >= channels || tile.row() >= tile.depth) return;
  A start[N] = {};
  if (bias != nullptr) load_channels<N>(start, bias + channel, false);
  for (std::int64_t i = std::int64_t(blockIdx.x) / tile.tiles * tile.depth + tile.row(); i < pieces.count;
       i += workers * tile.depth) {
    const std::int64_t piece = i / pieces.strip, block_of_rows = piece / pieces.along;
    const std::int64_t image = block_of_rows / pieces.down;
    const int p = static_cast<int>(block_of_rows % pieces.down * pieces.strip + i % pieces.strip);
    const int q = static_cast<int>(piece % pieces.along) * kOutputs;
    if (p >= c.rows.outputs) continue;
    A sums[kOutputs][N];
#pragma unroll
    for (int o = 0; o < kOutputs; o++) {
#pragma unroll
      for (int j = 0; j < N; j++) sums[o][j] = start[j];
    }
    for (int r = 0; r < R; r++) {
      const int h = c.rows.input(p, r);
      if (h == TapAxis::kNothing) continue;
      const T* row = in + (image * c.rows.inputs + h) * c.columns.inputs * channels + channel;
      for (int s = 0; s < S; s += kColumnTaps) {
        const int w = q * kScale + c.columns.offset + s;
        uint4 raw[kSpan];
#pragma unroll
        for (int x = 0; x < kSpan; x++) {
          raw[x] = make_uint4(0, 0, 0, 0);
          if (h >= 0 && w + x >= 0 && w + x < c.columns.inputs) {
            raw[x] = *reinterpret_cast<const uint4*>(row + (w + x) * channels);
          }
        }
        A factors[kColumnTaps][N];
#pragma unroll
        for (int t = 0; t < kColumnTaps; t++) {
          if (s + t < S) load_channels<N>(factors[t], filters + (r * S + s + t) * pitch + tile.lane() * N);
        }
#pragma unroll
        for (int x = 0; x < kSpan; x++) {
          T parts[N];
          memcpy(parts, &raw[x], sizeof raw[x]);
#pragma unroll
          for (int o = 0; o < kOutputs; o++) {
            const int t = x - o * kScale;
            if (t < 0 || t >= kColumnTaps || s + t >= S) continue;
#pragma unroll
            for (int j = 0; j < N; j++) sums[o][j] = fma(widen(parts[j]), factors[t][j], sums[o][j]);
          }
        }
      }
    }
    T* target = out + ((image * c.rows.outputs + p) * c.columns.outputs + q) * channels + channel;
#pragma unroll
    for (int o = 0; o < kOutputs; o++) {
      if (q + o < c.columns.outputs) store_channels<N>(target + o * channels, sums[o]);
    }
  }
}

// One thread per pixel and N channels of the output, a block per tile of channels and some times tile.depth pixels: any
// stride, dilation and number of filters of a channel. in: (images, rows, columns, in_channels), weight: (out_channels,
// summed * field), bias: (out_channels,) or null. `slice` taps lie in shared memory at a time.
template <class T, int N>
__global__ void __launch_bounds__(kThreads, 3)
    depthwise_gather_kernel(const T* in, const T* weight, const T* bias, T* out, Correlation c, BlockTile tile,
                            std::int64_t workers, int slice) {
  using A = accumulate_t<T>;
  DYNAMIC_SHARED_MEMORY(filters, T);
  const int pitch = tap_pitch<T, N>(tile), R = c.rows.taps, S = c.columns.taps;
  const std::int64_t field = c.field(), taps = c.summed * field;
  const std::int64_t pixels = c.images * c.rows.outputs * c.columns.outputs;
  const std::int64_t first_channel = std::int64_t(blockIdx.x) % tile.tiles * tile.lanes * N;
  const std::int64_t channel = first_channel + tile.lane() * N;
  const std::int64_t first_pixel = std::int64_t(blockIdx.x) / tile.tiles * tile.depth;
  for (std::int64_t base = first_pixel; base < pixels; base += workers * tile.depth) {
    const std::int64_t pixel = base + tile.row(), line = pixel / c.columns.outputs;
    const bool works = tile.row() < tile.depth && pixel < pixels && channel < c.out_channels;
    const int p = static_cast<int>(line % c.rows.outputs), q = static_cast<int>(pixel % c.columns.outputs);
    const T* image = in + line / c.rows.outputs * c.rows.inputs * c.columns.inputs * c.in_channels +
                     channel / c.repeated * c.summed;
    A sums[N] = {};
    if (works && bias != nullptr) load_channels<N>(sums, bias + channel, false);
    for (std::int64_t first = 0; first < taps; first += slice) {
      const int count = static_cast<int>(min(std::int64_t(slice), taps - first));
      if (base == first_pixel || taps > slice) {
        __syncthreads();  // nobody reads the slice before
        stage_filters(filters, weight, c, first_channel, tile.lanes * N, pitch, first, count);
        __syncthreads();
      }
      if (!works) continue;
      std::int64_t m = first / field;
      int r = static_cast<int>(first % field / S), s = static_cast<int>(first % S), h = c.rows.input(p, r);
      for (int v = 0; v < count; v++) {
        const int w = c.columns.input(q, s);
        if (h != TapAxis::kNothing && w != TapAxis::kNothing) {
          A values[N] = {}, factors[N];
          if (h >= 0 && w >= 0) {
            load_channels<N>(values, image + (std::int64_t(h) * c.columns.inputs + w) * c.in_channels + m);
          }
          load_channels<N>(factors, filters + v * pitch + tile.lane() * N);
#pragma unroll
          for (int j = 0; j < N; j++) sums[j] = fma(values[j], factors[j], sums[j]);
        }
        if (++s < S) continue;
        s = 0;
        if (++r == R) {
          r = 0;
          m++;
        }
        h = c.rows.input(p, r);
      }
    }
    if (works) store_channels<N>(out + pixel * c.out_channels + channel, sums);
  }
}

// ---- launchers

constexpr std::int64_t kFilterBytes = 32 * 1024;  // of shared memory for filters: 7 x 7 taps of 32 vectors fit

// Blocks for each tile of channels. Where there are many, each takes up to four rounds: it stages the filters once.
std::int64_t workers_of(std::int64_t items, const BlockTile& tile) {
  const std::int64_t blocks = ceil_div(items, tile.depth) * tile.tiles;
  const std::int64_t rounds = std::min<std::int64_t>(4, std::max<std::int64_t>(1, blocks / 512));
  const std::int64_t workers = ceil_div(items, tile.depth * rounds);
  if (workers * tile.tiles > 0x7fffffff) throw TooLarge("too many pixels and channels for one launch");
  return workers;
}

simt::LaunchConfig blocks_of(std::int64_t workers, const BlockTile& tile, std::int64_t shared, simt::Stream stream) {
  return {dim3(static_cast<unsigned>(workers * tile.tiles)), dim3(kThreads), static_cast<std::size_t>(shared), stream};
}

template <class T>
bool slides(const Correlation& c) {
  const std::int64_t field = std::int64_t(c.rows.taps) * c.columns.taps;
  const std::int64_t lanes = std::min<std::int64_t>(32, c.out_channels / kVector<T>);
  // A last piece may reach beyond the end of a row by a window and some: still an int.
  return c.columns.divisor == 1 && c.columns.step == 1 && c.columns.scale <= 2 && c.columns.inputs < 1 << 29 &&
         c.columns.outputs < 1 << 29 && field * (lanes + 1) * 16 <= kFilterBytes;
}

template <class T, int kScale>
void launch_sliding(const ArrayView& in, const ArrayView& weight, const ArrayView& bias, const ArrayView& out,
                    const Correlation& c, simt::Stream stream) {
  const BlockTile tile = block_tile(c.out_channels / kVector<T>, 32);
  const Pieces pieces(c);
  const std::int64_t workers = workers_of(pieces.count, tile);
  const std::int64_t elements = std::int64_t(c.rows.taps) * c.columns.taps * tap_pitch<T, kVector<T>>(tile);
  simt::launch(blocks_of(workers, tile, elements * sizeof(T), stream), depthwise_sliding_kernel<T, kScale>,
               in.as<const T>(), weight.as<const T>(), bias.as<const T>(), out.as<T>(), c, pieces, tile, workers);
}

template <class T, int N>
void launch_gather(const ArrayView& in, const ArrayView& weight, const ArrayView& bias, const ArrayView& out,
                   const Correlation& c, simt::Stream stream) {
  const BlockTile tile = block_tile(c.out_channels / N, 32);
  const std::int64_t pixels = c.images * c.rows.outputs * c.columns.outputs, workers = workers_of(pixels, tile);
  const std::int64_t bytes_of_tap = tap_pitch<T, N>(tile) * static_cast<std::int64_t>(sizeof(T));
  const std::int64_t slice = std::min(c.summed * c.rows.taps * c.columns.taps, kFilterBytes / bytes_of_tap);
  simt::launch(blocks_of(workers, tile, slice * bytes_of_tap, stream), depthwise_gather_kernel<T, N>,
               in.as<const T>(), weight.as<const T>(), bias.as<const T>(), out.as<T>(), c, tile, workers,
               static_cast<int>(slice));
}

// The kernel follows from the shape, and from whether memory fits vectors; all sum the taps of an output in one order.
void launch(const ArrayView& in, const ArrayView& weight, const ArrayView& bias, const ArrayView& out,
            const Correlation& c, simt::Stream stream) {
  if (out.size == 0) return;
  const bool aligned = vector_aligned(in) && vector_aligned(out);
  dispatch_float(in.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    constexpr int N = kVector<T>;
    if (c.summed > 1 || c.repeated > 1 || c.out_channels % N || !aligned) {
      launch_gather<T, 1>(in, weight, bias, out, c, stream);
    } else if (!slides<T>(c)) {
      launch_gather<T, N>(in, weight, bias, out, c, stream);
    } else if (c.columns.scale == 1) {
      launch_sliding<T, 1>(in, weight, bias, out, c, stream);
    } else {
      launch_sliding<T, 2>(in, weight, bias, out, c, stream);
    }
  });
}

// dx[h] meets dy[p] by the tap r that takes p * stride - padding + r * dilation to h.
TapAxis backward_axis(std::int64_t inputs, std::int64_t outputs, std::int64_t taps, std::int64_t stride,
                      std::int64_t padding, std::int64_t dilation) {
  const std::int64_t last = dilation * (taps - 1);  // the reversed taps' first
  return {int(inputs), int(outputs), int(taps), 1, int(padding - last), int(dilation), int(stride)};
}

}  // namespace

void launch_conv2d_depthwise_forward(const ArrayView& x, const ArrayView& weight, const ArrayView& bias,
                                     const ArrayView& y, const Conv2dShape& s, simt::Stream stream) {
  const Correlation c{forward_axis(s.H, s.P, s.R, s.stride_h, s.pad_h, s.dilation_h),
                      forward_axis(s.W, s.Q, s.S, s.stride_w, s.pad_w, s.dilation_w),
                      s.N,
                      s.C,
                      s.K,
                      1,
                      s.K / s.C,
                      false};
  launch(x, weight, bias, y, c, stream);
  CHECK_LAUNCH("conv2d_depthwise_forward");
}

void launch_conv2d_depthwise_backward_data(const ArrayView& dy, const ArrayView& weight, const ArrayView& bias,
                                           const ArrayView& dx, const Conv2dShape& s, simt::Stream stream) {
  const Correlation c{backward_axis(s.P, s.H, s.R, s.stride_h, s.pad_h, s.dilation_h),
                      backward_axis(s.Q, s.W, s.S, s.stride_w, s.pad_w, s.dilation_w),
                      s.N,
                      s.K,
                      s.C,
                      s.K / s.C,
                      1,
                      true};
  launch(dy, weight, bias, dx, c, stream);
  CHECK_LAUNCH("conv2d_depthwise_backward_data");
}
