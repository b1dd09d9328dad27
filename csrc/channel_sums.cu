// Statistics of the channels of (samples, rows, C): partial results of blocks, and merging them.
#include "channel_sums.h"

#include <algorithm>
#include <numeric>

#include "device/channel_statistics.h"
#include "device/group.h"
#include "device/moments.h"

// ---- kernels

namespace {

constexpr int kWarps = 32;  // of a merging block at most

// One block per tile. A thread sums deviations from its first value, and the block merges means as distances from its
// own first value, so nothing cancels where the mean is far from 0.
template <class T>
__global__ void __launch_bounds__(kThreads)
    channel_moments_kernel(const T* x, ChannelTiles tiles, double* means, accumulate_t<T>* squares, bool aligned) {
  constexpr int N = kVector<T>, kAhead = 4;
  using A = accumulate_t<T>;
  const TileThread<N> thread(tiles);
  const std::int64_t size = tiles.sample_size();
  const T* sample = x + thread.sample * size;
  const bool vectors = aligned && thread.sample * size % N == 0;
  A shift[N] = {}, sum[N] = {}, square[N] = {};
  for (std::int64_t row = thread.row; row < thread.end; row += kAhead * thread.step) {
    Group<T> groups[kAhead];
#pragma unroll
    for (int k = 0; k < kAhead; k++) {
      const std::int64_t at = row + k * thread.step;
      if (at < thread.end) groups[k].load(sample, at * tiles.width + thread.column, 0, size, vectors);
    }
#pragma unroll
    for (int k = 0; k < kAhead; k++) {
      const std::int64_t at = row + k * thread.step;
      if (at >= thread.end) break;
      A values[N];
      groups[k].unpack(values);
      const int existing = thread.elements(at);
#pragma unroll
      for (int j = 0; j < N; j++) {
        if (k == 0 && row == thread.row) shift[j] = finite_shift(values[j]);
        const A deviation = j < existing ? values[j] - shift[j] : A(0);
        sum[j] += deviation;
        square[j] += deviation * deviation;
      }
    }
  }
  SHARED_MEMORY(origin, A[N][kMaxLanes]);
  const int lane = int(threadIdx.x) % tiles.lanes;
  if (thread.uppermost()) {
#pragma unroll
    for (int j = 0; j < N; j++) origin[j][lane] = shift[j];
  }
  __syncthreads();
  Moments<A> moments[N];
#pragma unroll
  for (int j = 0; j < N; j++) {
    moments[j] = moments_about(shift[j] - origin[j][lane], A(thread.count(j)), sum[j], square[j]);
  }
  reduce_columns(moments, tiles.lanes, MergeMoments());
  if (!thread.uppermost()) return;
  double mean[N];
  A deviations[N];
#pragma unroll
  for (int j = 0; j < N; j++) {
    mean[j] = double(shift[j]) + double(moments[j].mean);
    deviations[j] = moments[j].squares;
  }
  const std::int64_t begin = (thread.sample * tiles.pieces + thread.piece) * tiles.width, end = begin + tiles.width;
  const bool whole = tiles.width % N == 0;
  store_group<N>(means, mean, begin + thread.column, begin, end, whole);
  store_group<N>(squares, deviations, begin + thread.column, begin, end, whole);
}

template <class A>
struct GradientSums {
  A total, product;
};

struct AddGradientSums {
  template <class A>
  __device__ __forceinline__ GradientSums<A> operator()(const GradientSums<A>& a, const GradientSums<A>& b) const {
    return {a.total + b.total, a.product + b.product};
  }
};

// One block per tile. Mean and rstd belong to a group of channels of a sample, or to a row (kByRow; rstd only then).
// One resident block is enough: left to itself ptxas held half precision to 80 registers and spilled.
template <class T, bool kByRow>
__global__ void __launch_bounds__(kThreads, 1)
    gradient_sums_kernel(const T* dy, const T* x, const accumulate_t<T>* mean, const accumulate_t<T>* rstd,
                         std::int64_t groups, ChannelTiles tiles, accumulate_t<T>* totals, accumulate_t<T>* products,
                         bool aligned, bool vectors_of_groups) {
  constexpr int N = kVector<T>, kAhead = 2;
  using A = accumulate_t<T>;
  const TileThread<N> thread(tiles);
  const std::int64_t size = tiles.sample_size(), offset = thread.sample * size;
  const bool vectors = aligned && offset % N == 0;
  A centre[N] = {};
  if (!kByRow && products) {
    load_groups<N>(centre, mean + thread.sample * groups, thread.column, tiles.channels, tiles.channels / groups,
                   vectors_of_groups && thread.sample * groups % N == 0);
  }
  int row_of[N];  // of the rows of a wide one, that of column j
#pragma unroll
  for (int j = 0; j < N; j++) row_of[j] = kByRow ? int((thread.column + j) / tiles.channels) : 0;
  GradientSums<A> sums[N] = {};
  for (std::int64_t row = thread.row; row < thread.end; row += kAhead * thread.step) {
    Group<T> gradients[kAhead], sources[kAhead];
#pragma unroll
    for (int k = 0; k < kAhead; k++) {
      const std::int64_t at = row + k * thread.step, first = at * tiles.width + thread.column;
      if (at >= thread.end) break;
      gradients[k].load(dy + offset, first, 0, size, vectors);
      if (products) sources[k].load(x + offset, first, 0, size, vectors);
    }
#pragma unroll
    for (int k = 0; k < kAhead; k++) {
      const std::int64_t at = row + k * thread.step;
      if (at >= thread.end) break;
      A gradient[N];
      gradients[k].unpack(gradient);  // 0 where there is no element
#pragma unroll
      for (int j = 0; j < N; j++) sums[j].total += gradient[j];
      if (!products) continue;
      A source[N];
      sources[k].unpack(source);
      const int existing = thread.elements(at);
      A factor = A(1);
#pragma unroll
      for (int j = 0; j < N; j++) {
        if (j >= existing) break;
        if (kByRow && (j == 0 || row_of[j] != row_of[j - 1])) {  // more than once where C is small
          centre[j] = mean[at * tiles.joined + row_of[j]];
          factor = rstd[at * tiles.joined + row_of[j]];
        } else if (kByRow) {
          centre[j] = centre[j - 1];
        }
        const A deviation = source[j] - centre[j];
        sums[j].product += gradient[j] * (kByRow ? deviation * factor : deviation);
      }
    }
  }
  reduce_columns(sums, tiles.lanes, AddGradientSums());
  if (!thread.uppermost()) return;
  A total[N], product[N];
#pragma unroll
  for (int j = 0; j < N; j++) {
    total[j] = sums[j].total;
    product[j] = sums[j].product;
  }
  const std::int64_t begin = (thread.sample * tiles.pieces + thread.piece) * tiles.width, end = begin + tiles.width;
  const bool whole = tiles.width % N == 0;
  store_group<N>(totals, total, begin + thread.column, begin, end, whole);
  if (products) store_group<N>(products, product, begin + thread.column, begin, end, whole);
}

template <class T>
struct MergeArguments {
  using A = accumulate_t<T>;
  std::int64_t entries, channels, groups;
  const A *totals, *products;
  T *dbias, *dweight;
  A *total_out, *product_out;
  const T* weight;
  double scale;
  Deviation<A> deviation;

  explicit MergeArguments(const MergedSums& sums)
      : entries(sums.entries),
        channels(sums.channels),
        groups(sums.statistics.groups),
        totals(static_cast<const A*>(sums.totals)),
        products(static_cast<const A*>(sums.products)),
        dbias(static_cast<T*>(sums.dbias)),
        dweight(static_cast<T*>(sums.dweight)),
        total_out(static_cast<A*>(sums.total_out)),
        product_out(static_cast<A*>(sums.product_out)),
        weight(static_cast<const T*>(sums.weight)),
        scale(sums.scale),
        deviation(sums.statistics) {}
};

// One block per 32 channels of a sample, a lane for each; every warp sums some of the entries.
template <class T>
__global__ void __launch_bounds__(32 * kWarps) merge_sums_kernel(MergeArguments<T> sums) {
  using A = accumulate_t<T>;
  SHARED_MEMORY(of_warps, double[2][kWarps][32]);
  const int lane = int(threadIdx.x) % 32, warp = int(threadIdx.x) / 32, warps = int(blockDim.x) / 32;
  const std::int64_t tiles = (sums.channels + 31) / 32, sample = blockIdx.x / tiles;
  const std::int64_t channel = blockIdx.x % tiles * 32 + lane;
  double total = 0, product = 0;
  if (channel < sums.channels) {
    for (std::int64_t entry = warp; entry < sums.entries; entry += warps) {
      const std::int64_t i = (sample * sums.entries + entry) * sums.channels + channel;
      if (sums.totals) total += double(sums.totals[i]);
      if (sums.products) product += double(sums.products[i]);
    }
  }
  of_warps[0][warp][lane] = total;
  of_warps[1][warp][lane] = product;
  __syncthreads();
  if (warp > 0 || channel >= sums.channels) return;
  for (int w = 1; w < warps; w++) {
    total += of_warps[0][w][lane];
    product += of_warps[1][w][lane];
  }
  const std::int64_t at = sample * sums.channels + channel;
  if (sums.deviation.value) {
    const std::int64_t group = channel / (sums.channels / sums.groups);
    product *= sums.deviation.inverse(double(sums.deviation.value[sample * sums.groups + group]));
  }
  if (sums.dbias) sums.dbias[at] = narrow<T>(A(total));
  if (sums.dweight) sums.dweight[at] = narrow<T>(A(product));
  const double factor = sums.scale * (sums.weight ? double(widen(sums.weight[channel])) : 1);
  if (sums.total_out) sums.total_out[at] = A(factor * total);
  if (sums.product_out) sums.product_out[at] = A(factor * product);
}

}  // namespace

// ---- launchers

ChannelTiles channel_tiles(std::int64_t samples, std::int64_t rows, std::int64_t channels, DType dtype) {
  // About four blocks for each multiprocessor of a large GPU; a thread has 4 rows at least where there are that many,
  // and 256 at most, which bounds its rounding error.
  constexpr std::int64_t kBlocks = 512, kFewest = 4, kMost = 256;
  ChannelTiles tiles;
  tiles.samples = samples;
  tiles.rows = rows;
  tiles.channels = channels;
  if (samples == 0 || rows == 0 || channels == 0) return tiles;
  const std::int64_t vector = 16 / dtype_bytes(dtype), sector = 2 * vector;
  tiles.joined = std::min(rows, sector / std::gcd(channels, sector));
  tiles.width = tiles.joined * channels;
  tiles.wide_rows = ceil_div(rows, tiles.joined);
  const std::int64_t groups = ceil_div(tiles.width, vector);
  tiles.lanes = groups <= kMaxLanes ? static_cast<int>(groups) : 32;
  tiles.columns = ceil_div(groups, tiles.lanes);
  const std::int64_t height = kThreads / tiles.lanes;
  const std::int64_t wanted = std::min(kBlocks / (samples * tiles.columns), tiles.wide_rows / (height * kFewest));
  const std::int64_t pieces = std::max({std::int64_t(1), wanted, ceil_div(tiles.wide_rows, height * kMost)});
  tiles.chunk = ceil_div(tiles.wide_rows, pieces);
  tiles.pieces = ceil_div(tiles.wide_rows, tiles.chunk);
  return tiles;
}

simt::LaunchConfig tile_config(const ChannelTiles& tiles, simt::Stream stream) {
  return one_dimensional(tiles.blocks() * kThreads, stream);
}

ChannelMoments launch_channel_moments(const ArrayView& x, const ChannelTiles& tiles, void* scratch,
                                      simt::Stream stream) {
  auto* means = static_cast<double*>(scratch);
  void* squares = means + tiles.partials();
  dispatch_float(x.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    simt::launch(tile_config(tiles, stream), channel_moments_kernel<T>, x.as<const T>(), tiles, means,
                 static_cast<accumulate_t<T>*>(squares), vector_aligned(x));
  });
  CHECK_LAUNCH("channel_moments");
  return {means, squares};
}

void launch_gradient_sums(const ArrayView& dy, const ArrayView& x, const GroupStatistics& statistics,
                          const ChannelTiles& tiles, void* totals, void* products, simt::Stream stream) {
  if (x.size == 0) return;
  const bool aligned = vector_aligned(dy) && vector_aligned(x);
  dispatch_float(x.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    using A = accumulate_t<T>;
    simt::launch(tile_config(tiles, stream), gradient_sums_kernel<T, false>, dy.as<const T>(), x.as<const T>(),
                 static_cast<const A*>(statistics.mean), static_cast<const A*>(nullptr), statistics.groups, tiles,
                 static_cast<A*>(totals), static_cast<A*>(products), aligned, vector_aligned(statistics.mean));
  });
  CHECK_LAUNCH("gradient_sums");
}

void launch_gradient_sums_by_row(const ArrayView& dy, const ArrayView& x, const ArrayView& mean, const ArrayView& rstd,
                                 const ChannelTiles& tiles, void* totals, void* products, simt::Stream stream) {
  if (x.size == 0) return;
  const bool aligned = vector_aligned(dy) && vector_aligned(x);
  dispatch_float(x.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    using A = accumulate_t<T>;
    simt::launch(tile_config(tiles, stream), gradient_sums_kernel<T, true>, dy.as<const T>(), x.as<const T>(),
                 mean.as<const A>(), rstd.as<const A>(), std::int64_t(1), tiles, static_cast<A*>(totals),
                 static_cast<A*>(products), aligned, false);
  });
  CHECK_LAUNCH("gradient_sums_by_row");
}

void launch_merge_sums(const MergedSums& sums, DType dtype, simt::Stream stream) {
  const std::int64_t blocks = sums.samples * ceil_div(sums.channels, 32);
  if (blocks == 0) return;
  if (blocks > 0x7fffffff) throw TooLarge("too many channels for one launch");
  const auto warps = static_cast<unsigned>(std::max<std::int64_t>(1, std::min<std::int64_t>(kWarps, sums.entries)));
  const simt::LaunchConfig config{dim3(static_cast<unsigned>(blocks)), dim3(32 * warps), 0, stream};
  dispatch_float(dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    simt::launch(config, merge_sums_kernel<T>, MergeArguments<T>(sums));
  });
  CHECK_LAUNCH("merge_sums");
}
