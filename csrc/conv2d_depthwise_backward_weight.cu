// Gradient of a depthwise convolution's weight: sums over pixels. The kernel is in device/column_sums.h.
#include "conv2d_depthwise.h"

#include "device/column_sums.h"
#include "device/depthwise.h"

namespace {

constexpr int kRowTaps = 3, kColumnTaps = 3;  // of the window, that one thread sums

// Rows are the pixels of y. A window is cut into pieces of kRowTaps x kColumnTaps; the columns are the channels of the
// first piece, then those of the next. dy: (N, P, Q, K), x: (N, H, W, C), results: (K, R, S).
template <class T, int N>
struct WindowTerms {
  using Sum = accumulate_t<T>;
  static constexpr int kSums = kRowTaps * kColumnTaps, kColumns = N, kResident = 2;
  const T* dy;
  const T* x;
  TapAxis rows, across;
  std::int64_t filters, repeated;  // filters of a channel
  std::int64_t columns;
  int pieces_across;
  bool aligned;

  __device__ __forceinline__ void add(Sum (&sums)[kSums][N], std::int64_t row, std::int64_t end, std::int64_t step,
                                      std::int64_t column) const {
    const std::int64_t k = column % filters, channels = filters / repeated;
    const int r = first_row(column), s = first_column(column);
    for (; row < end; row += step) {
      const std::int64_t line = row / across.outputs;
      const int p = static_cast<int>(line % rows.outputs), q = static_cast<int>(row % across.outputs);
      const T* image = x + line / rows.outputs * rows.inputs * across.inputs * channels + k / repeated;
      Sum gradient[N];
      load_channels<N>(gradient, dy + row * filters + k, aligned);
#pragma unroll
      for (int i = 0; i < kRowTaps; i++) {
        if (r + i >= rows.taps) continue;
        const int h = rows.input(p, r + i);
#pragma unroll
        for (int j = 0; j < kColumnTaps; j++) {
          if (s + j >= across.taps) continue;
          const int w = across.input(q, s + j);
          Sum values[N] = {};
          if (h >= 0 && w >= 0) {
            load_channels<N>(values, image + (std::int64_t(h) * across.inputs + w) * channels, aligned);
          }
          Sum(&sum)[N] = sums[i * kColumnTaps + j];
#pragma unroll
          for (int v = 0; v < N; v++) sum[v] = fma(gradient[v], values[v], sum[v]);
        }
      }
    }
  }

  __device__ __forceinline__ std::int64_t place(std::int64_t column, int i) const {
    const int r = first_row(column) + i / kColumnTaps, s = first_column(column) + i % kColumnTaps;
    return r < rows.taps && s < across.taps ? (column % filters * rows.taps + r) * across.taps + s : -1;
  }

 private:
  __device__ __forceinline__ int first_row(std::int64_t column) const {
    return static_cast<int>(column / filters / pieces_across) * kRowTaps;
  }
  __device__ __forceinline__ int first_column(std::int64_t column) const {
    return static_cast<int>(column / filters % pieces_across) * kColumnTaps;
  }
};

// The cut, from the shape and the width of an element.
struct WindowSums {
  std::int64_t vector, pieces_across, columns, pixels, size;
  ColumnSumsPlan plan;

  WindowSums(const Conv2dShape& s, DType dtype) {
    const std::int64_t fitting = 16 / dtype_bytes(dtype);
    vector = s.K == s.C && s.C % fitting == 0 ? fitting : 1;
    pieces_across = ceil_div(s.S, kColumnTaps);
    columns = ceil_div(s.R, kRowTaps) * pieces_across * s.K;
    pixels = s.N * s.P * s.Q;
    size = s.K * s.R * s.S;
    plan = column_sums_plan(pixels, columns / vector);
  }
};

}  // namespace

// ---- launchers

std::size_t conv2d_depthwise_backward_weight_scratch(const Conv2dShape& s, DType dtype) {
  const WindowSums sums(s, dtype);
  return static_cast<std::size_t>(sums.plan.blocks * sums.size * accumulate_bytes(dtype));
}

void launch_conv2d_depthwise_backward_weight(const ArrayView& dy, const ArrayView& x, const ArrayView& dweight,
                                             void* scratch, const Conv2dShape& s, simt::Stream stream) {
  if (dweight.size == 0) return;
  const WindowSums cut(s, dy.dtype);
  const bool aligned = vector_aligned(dy) && vector_aligned(x);
  const TapAxis rows = forward_axis(s.H, s.P, s.R, s.stride_h, s.pad_h, s.dilation_h);
  const TapAxis across = forward_axis(s.W, s.Q, s.S, s.stride_w, s.pad_w, s.dilation_w);
  dispatch_float(dy.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const auto sum = [&](auto terms) {
      launch_column_sums(terms, cut.pixels, cut.plan, cut.size, scratch, dweight.as<T>(), cut.size, stream);
    };
    const T *gradient = dy.as<const T>(), *images = x.as<const T>();
    const int pieces = static_cast<int>(cut.pieces_across);
    if (cut.vector > 1) {
      sum(WindowTerms<T, kVector<T>>{gradient, images, rows, across, s.K, s.K / s.C, cut.columns, pieces, aligned});
    } else {
      sum(WindowTerms<T, 1>{gradient, images, rows, across, s.K, s.K / s.C, cut.columns, pieces, aligned});
    }
  });
  CHECK_LAUNCH("conv2d_depthwise_backward_weight");
}
