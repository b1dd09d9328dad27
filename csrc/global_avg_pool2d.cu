// Global average pooling on channels-last memory.
#include "global_avg_pool2d.h"

#include "device/pixels.h"

// ---- kernels

namespace {

constexpr int kPixelsPerBlock = 4096;
constexpr int kLineBytes = 128;  // of a pixel that one block reads

// One block per piece of the pixels of a sample and per `lanes` groups of channels: lanes are neighbours in channels,
// and the rows of lanes take pixels in turn. Then a tree over the rows, in shared memory. x: (N, pixels, C).
// Sums go to partials (N, pieces, C) where there are pieces, else means to y (N, C).
template <class T, int N>
__global__ void __launch_bounds__(kThreads)
    global_avg_pool2d_kernel(const T* x, T* y, accumulate_t<T>* partials, std::int64_t pixels, int channels, int pieces,
                             int lanes) {
  using A = accumulate_t<T>;
  SHARED_MEMORY(sums, accumulate_t<T>[N][kThreads]);
  const int groups = channels / N, chunks = (groups + lanes - 1) / lanes;
  const int chunk = int(blockIdx.x % unsigned(chunks)), slot = int(blockIdx.x / unsigned(chunks));
  const int piece = slot % pieces, sample = slot / pieces;
  const int thread = int(threadIdx.x), row = thread / lanes, rows = kThreads / lanes;
  const int channel = (chunk * lanes + thread % lanes) * N;
  const bool active = row < rows && channel < channels;
  if (active) {
    const std::int64_t first = std::int64_t(piece) * kPixelsPerBlock, last = min(first + kPixelsPerBlock, pixels);
    const T* image = x + sample * pixels * channels + channel;
    A sum[N] = {};
#pragma unroll 4
    for (std::int64_t pixel = first + row; pixel < last; pixel += rows) {
      A values[N];
      load_pixel(values, image + pixel * channels);
#pragma unroll
      for (int k = 0; k < N; k++) sum[k] += values[k];
    }
#pragma unroll
    for (int k = 0; k < N; k++) sums[k][thread] = sum[k];
  }
  int half = 1;
  while (2 * half < rows) half *= 2;
  for (; half > 0; half /= 2) {
    __syncthreads();
    if (!active || row >= half || row + half >= rows) continue;
#pragma unroll
    for (int k = 0; k < N; k++) sums[k][thread] += sums[k][thread + half * lanes];
  }
  if (!active || row > 0) return;
  A total[N];
#pragma unroll
  for (int k = 0; k < N; k++) total[k] = sums[k][thread];
  if (partials) {
    store_items(partials + std::int64_t(slot) * channels + channel, total);
    return;
  }
#pragma unroll
  for (int k = 0; k < N; k++) total[k] /= A(pixels);
  store_pixel(y + std::int64_t(sample) * channels + channel, total);
}

// One thread per element of y: (N, C).
template <class T>
__global__ void __launch_bounds__(kThreads)
    global_avg_pool2d_finish_kernel(const accumulate_t<T>* partials, T* y, std::int64_t size, std::int64_t pixels,
                                    int channels, int pieces) {
  using A = accumulate_t<T>;
  const std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= size) return;
  const std::int64_t sample = i / channels;
  const A* parts = partials + sample * pieces * channels + (i - sample * channels);
  A total = 0;
  for (std::int64_t piece = 0; piece < pieces; piece++) total += parts[piece * channels];
  y[i] = narrow<T>(total / A(pixels));
}

}  // namespace

// ---- launchers

std::int64_t global_avg_pool2d_pieces(const Pool2dShape& shape) {
  return ceil_div(std::int64_t(shape.rows.size) * shape.columns.size, kPixelsPerBlock);
}

void launch_global_avg_pool2d_forward(const ArrayView& x, const ArrayView& y, const Pool2dShape& shape, void* partials,
                                      simt::Stream stream) {
  if (y.size == 0) return;
  const std::int64_t pixels = std::int64_t(shape.rows.size) * shape.columns.size;
  const std::int64_t pieces = global_avg_pool2d_pieces(shape);
  dispatch_groups(y, whole_groups(shape.channels, y, x), [&](auto type, auto group) {
    using T = typename decltype(type)::type;
    using A = accumulate_t<T>;
    constexpr int N = decltype(group)::value;
    const int groups = shape.channels / N, lanes = std::min(groups, kLineBytes / (N * int(sizeof(T))));
    const std::int64_t blocks = shape.samples * pieces * ceil_div(groups, lanes);
    simt::launch(one_dimensional(blocks * kThreads, stream), global_avg_pool2d_kernel<T, N>, x.as<const T>(), y.as<T>(),
                 static_cast<A*>(partials), pixels, shape.channels, int(pieces), lanes);
    if (!partials) return;
    simt::launch(one_dimensional(y.size, stream), global_avg_pool2d_finish_kernel<T>, static_cast<const A*>(partials),
                 y.as<T>(), y.size, pixels, shape.channels, int(pieces));
  });
  CHECK_LAUNCH("global_avg_pool2d_forward");
}
