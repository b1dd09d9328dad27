// Padding of images.
#include "pad.h"

#include "device/units.h"
#include "device/vector.h"

// ---- kernels

namespace {

// The row (or column) of the image that row `i` shows, counted from the image's first; -1 for zeros.
__device__ __forceinline__ std::int64_t shown(std::int64_t i, std::int64_t extent, PadMode mode) {
  if (i >= 0 && i < extent) return i;
  switch (mode) {
    case PadMode::reflect:
      return i < 0 ? -i : 2 * (extent - 1) - i;
    case PadMode::replicate:
      return i < 0 ? 0 : extent - 1;
    case PadMode::circular:
      return i < 0 ? i + extent : i - extent;
    default:
      return -1;
  }
}

// One thread per unit of y: (N, P, Q, C); C in units.
template <class Unit>
__global__ void __launch_bounds__(kThreads)
    pad2d_forward_kernel(const Unit* x, Unit* y, std::int64_t size, Pad2dShape s) {
  const std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= size) return;
  const std::int64_t c = i % s.C, pixel = i / s.C;
  const std::int64_t q = pixel % s.Q, row = pixel / s.Q;
  const std::int64_t p = row % s.P, n = row / s.P;
  const std::int64_t h = shown(p - s.top, s.H, s.mode), w = shown(q - s.left, s.W, s.mode);
  y[i] = h < 0 || w < 0 ? Unit{} : x[((n * s.H + h) * s.W + w) * s.C + c];
}

// The rows (or columns) of y that show row `i` of x: its own, then those of the border before x, then those after it.
struct Shows {
  std::int64_t own, before = 0, before_count = 0, after = 0, count = 1;

  __device__ __forceinline__ Shows(std::int64_t i, std::int64_t extent, std::int64_t padded, std::int64_t start,
                                   PadMode mode)
      : own(start + i) {
    const std::int64_t end = start + extent;
    if (mode == PadMode::replicate) {
      if (i == 0) before_count = start;
      after = end;
      count += before_count + (i == extent - 1 ? padded - end : 0);
    } else if (mode != PadMode::zeros) {
      const bool reflect = mode == PadMode::reflect;
      before = reflect ? start - i : own - extent;
      after = reflect ? end + extent - 2 - i : own + extent;
      before_count = before >= 0 && before < start;
      count += before_count + (after >= end && after < padded);
    }
  }

  __device__ __forceinline__ std::int64_t operator[](std::int64_t k) const {
    return k == 0 ? own : k <= before_count ? before + k - 1 : after + k - 1 - before_count;
  }
};

template <int N, class T>
__device__ __forceinline__ void load(accumulate_t<T> (&values)[N], const T* memory, std::int64_t i) {
  if constexpr (N == 1) {
    values[0] = widen(memory[i]);
  } else {
    load_group<N>(values, memory, i, i, i + N, true);
  }
}

template <int N, class T>
__device__ __forceinline__ void store(T* memory, const accumulate_t<T> (&values)[N], std::int64_t i) {
  if constexpr (N == 1) {
    memory[i] = narrow<T>(values[0]);
  } else {
    store_group<N>(memory, values, i, i, i + N, true);
  }
}

// One thread per N channels of a pixel of dx: (N, H, W, C); C is a multiple of N, memory aligned to N elements. It
// gathers: column by column of dy, the rows of each first, so that the order of the sum is fixed.
template <class T, int N>
__global__ void __launch_bounds__(kThreads)
    pad2d_backward_kernel(const T* dy, T* dx, std::int64_t size, Pad2dShape s) {
  using A = accumulate_t<T>;
  const std::int64_t i = (std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x) * N;
  if (i >= size) return;
  const std::int64_t c = i % s.C, pixel = i / s.C;
  const std::int64_t w = pixel % s.W, row = pixel / s.W;
  const std::int64_t h = row % s.H, n = row / s.H;
  const Shows rows(h, s.H, s.P, s.top, s.mode), columns(w, s.W, s.Q, s.left, s.mode);
  const T* image = dy + n * s.P * s.Q * s.C + c;
  A total[N] = {};
  for (std::int64_t k = 0; k < columns.count; k++) {
    A column[N] = {};
    for (std::int64_t l = 0; l < rows.count; l++) {
      A values[N];
      load<N>(values, image, (rows[l] * s.Q + columns[k]) * s.C);
#pragma unroll
      for (int j = 0; j < N; j++) column[j] = l == 0 ? values[j] : column[j] + values[j];
    }
#pragma unroll
    for (int j = 0; j < N; j++) total[j] = k == 0 ? column[j] : total[j] + column[j];
  }
  store<N>(dx, total, i);
}

}  // namespace

// ---- launchers

void launch_pad2d_forward(const ArrayView& x, const ArrayView& y, const Pad2dShape& shape, simt::Stream stream) {
  if (y.size == 0) return;
  const std::int64_t item = dtype_bytes(y.dtype), unit = common_unit({x.data, y.data}, {shape.C * item});
  Pad2dShape in_units = shape;
  in_units.C = shape.C * item / unit;
  const std::int64_t size = y.size * item / unit;
  dispatch_copy(unit, [&](auto type) {
    using Unit = typename decltype(type)::type;
    simt::launch(one_dimensional(size, stream), pad2d_forward_kernel<Unit>, x.as<const Unit>(), y.as<Unit>(), size,
                 in_units);
  });
  CHECK_LAUNCH("pad2d_forward");
}

void launch_pad2d_backward(const ArrayView& dy, const ArrayView& dx, const Pad2dShape& shape, simt::Stream stream) {
  if (dx.size == 0) return;
  dispatch_float(dx.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    constexpr int N = kVector<T>;
    if (shape.C % N == 0 && vector_aligned(dy) && vector_aligned(dx)) {
      simt::launch(one_dimensional(dx.size / N, stream), pad2d_backward_kernel<T, N>, dy.as<const T>(), dx.as<T>(),
                   dx.size, shape);
    } else {
      simt::launch(one_dimensional(dx.size, stream), pad2d_backward_kernel<T, 1>, dy.as<const T>(), dx.as<T>(),
                   dx.size, shape);
    }
  });
  CHECK_LAUNCH("pad2d_backward");
}
