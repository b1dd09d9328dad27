// Max pooling on channels-last memory.
#include "max_pool2d.h"

#include "device/largest.h"
#include "device/pixels.h"
#include "device/windows.h"

// ---- kernels

namespace {

// The offset array, uint8 or uint16: at most one of the two is not null.
struct Offsets {
  unsigned char* narrow;
  unsigned short* wide;

  explicit Offsets(const ArrayView& array)
      : narrow(array.dtype == DType::uint8 ? array.as<unsigned char>() : nullptr),
        wide(array.dtype == DType::uint16 ? array.as<unsigned short>() : nullptr) {}

  template <int N>
  __device__ __forceinline__ void load(unsigned (&codes)[N], std::int64_t at) const {
    narrow ? load_from(narrow + at, codes) : load_from(wide + at, codes);
  }
  template <int N>
  __device__ __forceinline__ void store(const unsigned (&codes)[N], std::int64_t at) const {
    if (narrow) store_to(narrow + at, codes);
    if (wide) store_to(wide + at, codes);
  }

 private:
  template <class Item, int N>
  __device__ __forceinline__ static void load_from(const Item* memory, unsigned (&codes)[N]) {
    Item items[N];
    load_items(items, memory);
#pragma unroll
    for (int j = 0; j < N; j++) codes[j] = items[j];
  }
  template <class Item, int N>
  __device__ __forceinline__ static void store_to(Item* memory, const unsigned (&codes)[N]) {
    Item items[N];
#pragma unroll
    for (int j = 0; j < N; j++) items[j] = Item(codes[j]);
    store_items(memory, items);
  }
};

// One thread per group of y: the elements of its window in the order of their offsets.
// A window wholly in the padding is -inf; its offset then names an element that does not exist.
template <class T, int N>
__global__ void __launch_bounds__(kThreads, 1)
    max_pool2d_forward_kernel(const T* x, T* y, Offsets offsets, std::int64_t threads, PixelGroups groups,
                              Pool2dShape shape) {
  using A = accumulate_t<T>;
  const std::int64_t thread = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (thread >= threads) return;
  const WindowAxis &rows = shape.rows, &columns = shape.columns;
  const PixelGroup<N> at(groups, thread);
  const Range r = window_offsets(rows, at.row), s = window_offsets(columns, at.column);
  const bool no_row = r.first >= r.last, no_column = s.first >= s.last;
  const unsigned width = unsigned(columns.kernel);
  Largest<A, N, unsigned> largest(no_row ? 0 : unsigned(r.first) * width + (no_column ? 0 : unsigned(s.first)));
  const int top = window_start(rows, at.row), left = window_start(columns, at.column);
  const T* image = x + at.sample * rows.size * columns.size * shape.channels + at.channel;
  for (int i = r.first; i < r.last; i++) {
    const T* line = image + std::int64_t(top + i * rows.dilation) * columns.size * shape.channels;
#pragma unroll kElementsAtOnce
    for (int j = s.first; j < s.last; j++) {
      A elements[N];
      load_pixel(elements, line + std::int64_t(left + j * columns.dilation) * shape.channels);
      largest.take(elements, unsigned(i) * width + unsigned(j));
    }
  }
  store_pixel(y + thread * N, largest.values);
  offsets.store(largest.codes, thread * N);
}

// One thread per group of dx: the sum of dy over the windows that chose this element, in the order of the element's
// offset in them, so last windows first.
template <class T, int N>
__global__ void __launch_bounds__(kThreads, 1)
    max_pool2d_backward_kernel(const T* dy, Offsets offsets, T* dx, std::int64_t threads, PixelGroups groups,
                               Pool2dShape shape) {
  using A = accumulate_t<T>;
  const std::int64_t thread = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (thread >= threads) return;
  const WindowAxis &rows = shape.rows, &columns = shape.columns;
  const PixelGroup<N> at(groups, thread);
  const Range p = window_outputs(rows, at.row), q = window_outputs(columns, at.column);
  const std::int64_t image = at.sample * rows.out;
  A sum[N] = {};
  for (int i = p.last - 1; i >= p.first; i--) {
    const int r = window_offset(rows, i, at.row);
    if (r < 0) continue;
#pragma unroll kElementsAtOnce
    for (int j = q.last - 1; j >= q.first; j--) {
      const int s = window_offset(columns, j, at.column);
      if (s < 0) continue;
      const std::int64_t place = ((image + i) * columns.out + j) * shape.channels + at.channel;
      const unsigned code = unsigned(r) * unsigned(columns.kernel) + unsigned(s);
      unsigned codes[N];
      A gradients[N];
      offsets.load(codes, place);
      load_pixel(gradients, dy + place);
#pragma unroll
      for (int k = 0; k < N; k++) sum[k] += codes[k] == code ? gradients[k] : A(0);
    }
  }
  store_pixel(dx + thread * N, sum);
}

// One thread per element. indices = h * W + w, of the nearest element where the window lies wholly in the padding.
template <class Code>
__global__ void __launch_bounds__(kThreads, 1)
    max_pool2d_indices_kernel(const Code* offsets, std::int64_t* indices, std::int64_t threads, PixelGroups groups,
                              Pool2dShape shape) {
  const std::int64_t thread = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (thread >= threads) return;
  const WindowAxis &rows = shape.rows, &columns = shape.columns;
  const PixelGroup<1> at(groups, thread);
  const int code = offsets[thread], r = code / columns.kernel, s = code - r * columns.kernel;
  // 64 bits, because memory may hold offsets that no window of this size has.
  const std::int64_t h = window_start(rows, at.row) + std::int64_t(r) * rows.dilation;
  const std::int64_t w = window_start(columns, at.column) + std::int64_t(s) * columns.dilation;
  const std::int64_t below = rows.size - 1, right = columns.size - 1;
  indices[thread] = clamp<std::int64_t>(h, 0, below) * columns.size + clamp<std::int64_t>(w, 0, right);
}

}  // namespace

// ---- launchers

void launch_max_pool2d_forward(const ArrayView& x, const ArrayView& y, const ArrayView& offsets,
                               const Pool2dShape& shape, simt::Stream stream) {
  if (y.size == 0) return;
  dispatch_groups(y, whole_groups(shape.channels, y, x, offsets), [&](auto type, auto group) {
    using T = typename decltype(type)::type;
    constexpr int N = decltype(group)::value;
    const std::int64_t threads = y.size / N;
    simt::launch(one_dimensional(threads, stream), max_pool2d_forward_kernel<T, N>, x.as<const T>(), y.as<T>(),
                 Offsets(offsets), threads, PixelGroups(shape.rows.out, shape.columns.out, shape.channels, N), shape);
  });
  CHECK_LAUNCH("max_pool2d_forward");
}

void launch_max_pool2d_backward(const ArrayView& dy, const ArrayView& offsets, const ArrayView& dx,
                                const Pool2dShape& shape, simt::Stream stream) {
  if (dx.size == 0) return;
  dispatch_groups(dx, whole_groups(shape.channels, dx, dy, offsets), [&](auto type, auto group) {
    using T = typename decltype(type)::type;
    constexpr int N = decltype(group)::value;
    const std::int64_t threads = dx.size / N;
    simt::launch(one_dimensional(threads, stream), max_pool2d_backward_kernel<T, N>, dy.as<const T>(), Offsets(offsets),
                 dx.as<T>(), threads, PixelGroups(shape.rows.size, shape.columns.size, shape.channels, N), shape);
  });
  CHECK_LAUNCH("max_pool2d_backward");
}

void launch_max_pool2d_indices(const ArrayView& offsets, const ArrayView& indices, const Pool2dShape& shape,
                               simt::Stream stream) {
  if (indices.size == 0) return;
  const simt::LaunchConfig config = one_dimensional(indices.size, stream);
  const PixelGroups groups(shape.rows.out, shape.columns.out, shape.channels, 1);
  if (offsets.dtype == DType::uint8) {
    simt::launch(config, max_pool2d_indices_kernel<unsigned char>, offsets.as<const unsigned char>(),
                 indices.as<std::int64_t>(), indices.size, groups, shape);
  } else {
    simt::launch(config, max_pool2d_indices_kernel<unsigned short>, offsets.as<const unsigned short>(),
                 indices.as<std::int64_t>(), indices.size, groups, shape);
  }
  CHECK_LAUNCH("max_pool2d_indices");
}
