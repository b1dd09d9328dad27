// The last pass of a normalisation and of its backward.
#include "normalise.h"

#include "device/channel_statistics.h"
#include "device/group.h"

// ---- kernels

namespace {

// One block per tile, so a thread has the numbers of its channels in registers. (x - mean) * scale, not x * scale +
// shift: the latter rounds as coarsely as x where the mean is far from 0.
template <class T>
__global__ void __launch_bounds__(kThreads)
    normalise_kernel(const T* x, const accumulate_t<T>* mean, Deviation<accumulate_t<T>> deviation, std::int64_t groups,
                     const T* weight, const T* bias, T* y, ChannelTiles tiles, std::int64_t* batches, bool aligned,
                     bool aligned_numbers) {
  constexpr int N = kVector<T>, kAhead = 4;
  using A = accumulate_t<T>;
  if (batches && blockIdx.x == 0 && threadIdx.x == 0) *batches = counted_up(*batches);
  const TileThread<N> thread(tiles);
  if (thread.row >= thread.end) return;
  const std::int64_t size = tiles.sample_size(), offset = thread.sample * size;
  const bool vectors = aligned && offset % N == 0;
  const std::int64_t group = thread.sample * groups, group_size = tiles.channels / groups;
  const bool vectors_of_groups = aligned_numbers && group % N == 0;
  A centre[N], scale[N], shift[N] = {}, factor[N];
  load_groups<N>(centre, mean + group, thread.column, tiles.channels, group_size, vectors_of_groups);
  load_groups<N>(scale, deviation.value + group, thread.column, tiles.channels, group_size, vectors_of_groups);
  if (weight) load_channels<N>(factor, weight, thread.column, tiles.channels, aligned_numbers);
  if (bias) load_channels<N>(shift, bias, thread.column, tiles.channels, aligned_numbers);
#pragma unroll
  for (int j = 0; j < N; j++) {
    scale[j] = deviation.inverse(scale[j]);
    if (weight) scale[j] *= factor[j];
  }
  for (std::int64_t row = thread.row; row < thread.end; row += kAhead * thread.step) {
    Group<T> sources[kAhead];
#pragma unroll
    for (int k = 0; k < kAhead; k++) {
      const std::int64_t at = row + k * thread.step;
      if (at < thread.end) sources[k].load(x + offset, at * tiles.width + thread.column, 0, size, vectors);
    }
#pragma unroll
    for (int k = 0; k < kAhead; k++) {
      const std::int64_t at = row + k * thread.step;
      if (at >= thread.end) break;
      A values[N];
      sources[k].unpack(values);
#pragma unroll
      for (int j = 0; j < N; j++) values[j] = (values[j] - centre[j]) * scale[j] + shift[j];
      store_group<N>(y + offset, values, at * tiles.width + thread.column, 0, size, vectors);
    }
  }
}

// One block per tile. dx = dy * of_dy - (x - centre) * of_x - constant, in numbers of a channel.
template <class T>
__global__ void __launch_bounds__(kThreads)
    normalise_backward_kernel(const T* dy, const T* x, const accumulate_t<T>* mean,
                              Deviation<accumulate_t<T>> deviation, std::int64_t groups, const T* weight,
                              const accumulate_t<T>* of_gradient, const accumulate_t<T>* of_product, T* dx,
                              ChannelTiles tiles, bool aligned, bool aligned_numbers) {
  constexpr int N = kVector<T>, kAhead = 2;
  using A = accumulate_t<T>;
  const TileThread<N> thread(tiles);
  if (thread.row >= thread.end) return;
  const std::int64_t size = tiles.sample_size(), offset = thread.sample * size;
  const bool vectors = aligned && offset % N == 0;
  const std::int64_t group = thread.sample * groups, group_size = tiles.channels / groups;
  const bool vectors_of_groups = aligned_numbers && group % N == 0;
  A centre[N], of_dy[N], of_x[N], constant[N], factor[N];
  load_groups<N>(of_dy, deviation.value + group, thread.column, tiles.channels, group_size, vectors_of_groups);
  if (weight) load_channels<N>(factor, weight, thread.column, tiles.channels, aligned_numbers);
  if (of_gradient) {
    load_groups<N>(centre, mean + group, thread.column, tiles.channels, group_size, vectors_of_groups);
    load_groups<N>(of_x, of_product + group, thread.column, tiles.channels, group_size, vectors_of_groups);
    load_groups<N>(constant, of_gradient + group, thread.column, tiles.channels, group_size, vectors_of_groups);
  }
#pragma unroll
  for (int j = 0; j < N; j++) {
    const A inverse = deviation.inverse(of_dy[j]);
    of_dy[j] = weight ? inverse * factor[j] : inverse;
    if (!of_gradient) continue;
    of_x[j] = inverse * (inverse * of_x[j]);
    constant[j] = inverse * constant[j];
  }
  for (std::int64_t row = thread.row; row < thread.end; row += kAhead * thread.step) {
    Group<T> gradients[kAhead], sources[kAhead];
#pragma unroll
    for (int k = 0; k < kAhead; k++) {
      const std::int64_t at = row + k * thread.step, first = at * tiles.width + thread.column;
      if (at >= thread.end) break;
      gradients[k].load(dy + offset, first, 0, size, vectors);
      if (of_gradient) sources[k].load(x + offset, first, 0, size, vectors);
    }
#pragma unroll
    for (int k = 0; k < kAhead; k++) {
      const std::int64_t at = row + k * thread.step;
      if (at >= thread.end) break;
      A values[N];
      gradients[k].unpack(values);
#pragma unroll
      for (int j = 0; j < N; j++) values[j] *= of_dy[j];
      if (of_gradient) {
        A source[N];
        sources[k].unpack(source);
#pragma unroll
        for (int j = 0; j < N; j++) values[j] -= (source[j] - centre[j]) * of_x[j] + constant[j];
      }
      store_group<N>(dx + offset, values, at * tiles.width + thread.column, 0, size, vectors);
    }
  }
}

}  // namespace

// ---- launchers

void launch_normalise(const ArrayView& x, const GroupStatistics& statistics, const ArrayView& weight,
                      const ArrayView& bias, const ArrayView& y, const ChannelTiles& tiles, const ArrayView& batches,
                      simt::Stream stream) {
  if (x.size == 0) return;
  const bool aligned = vector_aligned(x) && vector_aligned(y);
  const bool aligned_numbers = vector_aligned(statistics.mean) && vector_aligned(statistics.deviation) &&
                               vector_aligned(weight) && vector_aligned(bias);
  dispatch_float(x.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    using A = accumulate_t<T>;
    simt::launch(tile_config(tiles, stream), normalise_kernel<T>, x.as<const T>(),
                 static_cast<const A*>(statistics.mean), Deviation<A>(statistics), statistics.groups,
                 weight.as<const T>(), bias.as<const T>(), y.as<T>(), tiles, batches.as<std::int64_t>(), aligned,
                 aligned_numbers);
  });
  CHECK_LAUNCH("normalise");
}

void launch_normalise_backward(const ArrayView& dy, const ArrayView& x, const GroupStatistics& statistics,
                               const ArrayView& weight, const void* of_gradient, const void* of_product,
                               const ArrayView& dx, const ChannelTiles& tiles, simt::Stream stream) {
  if (x.size == 0) return;
  const bool aligned = vector_aligned(dy) && vector_aligned(x) && vector_aligned(dx);
  const bool aligned_numbers = vector_aligned(statistics.mean) && vector_aligned(statistics.deviation) &&
                               vector_aligned(weight) && vector_aligned(of_gradient) && vector_aligned(of_product);
  dispatch_float(x.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    using A = accumulate_t<T>;
    simt::launch(tile_config(tiles, stream), normalise_backward_kernel<T>, dy.as<const T>(), x.as<const T>(),
                 static_cast<const A*>(statistics.mean), Deviation<A>(statistics), statistics.groups,
                 weight.as<const T>(), static_cast<const A*>(of_gradient), static_cast<const A*>(of_product),
                 dx.as<T>(), tiles, aligned, aligned_numbers);
  });
  CHECK_LAUNCH("normalise_backward");
}
