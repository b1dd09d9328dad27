// Batch normalisation: the statistics of the batch from those of its blocks, and tracking them.
#include "batch_norm.h"

#include <algorithm>

#include "device/channel_statistics.h"
#include "device/moments.h"
#include "normalise.h"

// ---- kernels

namespace {

constexpr int kWarps = 32;  // of a merging block at most

template <class A>
struct Tracked {
  A *mean, *var;
  const std::int64_t* batches;
  bool average;
  double momentum;

  __device__ __forceinline__ void update(std::int64_t channel, double new_mean, double new_var) const {
    // The batch is counted by the launch after this one.
    const double share = average ? 1 / double(counted_up(*batches)) : momentum;
    mean[channel] = A((1 - share) * double(mean[channel]) + share * new_mean);
    var[channel] = A((1 - share) * double(var[channel]) + share * new_var);
  }
};

// One block per 32 channels, a lane for each; every warp takes some of the entries. In double, about the mean of the
// first entry: deviations from it neither cancel nor overflow.
template <class A>
__global__ void __launch_bounds__(32 * kWarps)
    batch_statistics_kernel(const double* means, const A* squares, ChannelTiles tiles, A* mean, A* rstd,
                            Tracked<A> tracked, double eps) {
  SHARED_MEMORY(of_warps, double[2][kWarps][32]);
  const int lane = int(threadIdx.x) % 32, warp = int(threadIdx.x) / 32, warps = int(blockDim.x) / 32;
  const std::int64_t channel = std::int64_t(blockIdx.x) * 32 + lane, entries = tiles.entries();
  const bool exists = channel < tiles.channels;
  const double shift = exists ? finite_shift(means[channel]) : 0;
  double sum = 0, square = 0;
  if (exists) {
    for (std::int64_t entry = warp; entry < entries; entry += warps) {
      const std::int64_t rows = tiles.rows_of(entry), i = entry * tiles.channels + channel;
      if (rows == 0) continue;
      const double deviation = means[i] - shift;
      sum += double(rows) * deviation;
      square += double(squares[i]) + double(rows) * deviation * deviation;
    }
  }
  of_warps[0][warp][lane] = sum;
  of_warps[1][warp][lane] = square;
  __syncthreads();
  if (warp > 0 || !exists) return;
  for (int w = 1; w < warps; w++) {
    sum += of_warps[0][w][lane];
    square += of_warps[1][w][lane];
  }
  const Moments<double> moments = moments_about(shift, double(tiles.rows), sum, square);
  mean[channel] = A(moments.mean);
  rstd[channel] = A(1 / sqrt(moments.squares / moments.count + eps));
  if (tracked.mean) tracked.update(channel, moments.mean, moments.squares / (moments.count - 1));
}

// A thread per channel. A batch of nothing counts, and teaches nothing.
template <class A>
__global__ void __launch_bounds__(kThreads)
    empty_batch_kernel(A* mean, A* rstd, std::int64_t channels, std::int64_t* batches) {
  const std::int64_t channel = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (channel == 0 && batches) *batches = counted_up(*batches);
  if (channel >= channels) return;
  mean[channel] = rstd[channel] = A(0);
}

}  // namespace

// ---- launchers

void launch_batch_norm_forward(const ArrayView& x, const ArrayView& weight, const ArrayView& bias, const ArrayView& y,
                               const ArrayView& mean, const ArrayView& rstd, const BatchNormTracking& tracking,
                               double eps, const ChannelTiles& tiles, void* scratch, simt::Stream stream) {
  if (x.size == 0) {
    dispatch_statistics(x.dtype, [&](auto type) {
      using A = typename decltype(type)::type;
      simt::launch(one_dimensional(std::max<std::int64_t>(1, mean.size), stream), empty_batch_kernel<A>, mean.as<A>(),
                   rstd.as<A>(), mean.size, tracking.batches.as<std::int64_t>());
    });
    CHECK_LAUNCH("batch_norm_forward");
    return;
  }
  const ChannelMoments moments = launch_channel_moments(x, tiles, scratch, stream);
  const auto warps = static_cast<unsigned>(std::min<std::int64_t>(kWarps, tiles.entries()));
  simt::LaunchConfig config = one_dimensional(ceil_div(tiles.channels, 32) * kThreads, stream);
  config.block = dim3(32 * warps);
  dispatch_statistics(x.dtype, [&](auto type) {
    using A = typename decltype(type)::type;
    simt::launch(config, batch_statistics_kernel<A>, moments.means, static_cast<const A*>(moments.squares), tiles,
                 mean.as<A>(), rstd.as<A>(),
                 Tracked<A>{tracking.running_mean.as<A>(), tracking.running_var.as<A>(),
                            tracking.batches.as<const std::int64_t>(), tracking.average, tracking.momentum},
                 eps);
  });
  CHECK_LAUNCH("batch_norm_forward");
  launch_normalise(x, {mean.data, rstd.data, tiles.channels}, weight, bias, y, tiles, tracking.batches, stream);
}

void launch_batch_norm_backward(const ArrayView& dy, const ArrayView& x, const GroupStatistics& statistics,
                                bool of_batch, const ArrayView& weight, const ArrayView& dx, const ArrayView& dweight,
                                const ArrayView& dbias, const ChannelTiles& tiles, void* scratch,
                                simt::Stream stream) {
  const bool through_statistics = of_batch && dx.data;
  const std::int64_t channels = statistics.groups;
  void* products = dweight.data || through_statistics ? numbers_after(scratch, tiles.partials(), x.dtype) : nullptr;
  void* of_gradient = through_statistics ? numbers_after(scratch, 2 * tiles.partials(), x.dtype) : nullptr;
  void* of_product = through_statistics ? numbers_after(of_gradient, channels, x.dtype) : nullptr;
  if (dweight.data || dbias.data || through_statistics) {
    launch_gradient_sums(dy, x, statistics, tiles, scratch, products, stream);
    MergedSums sums{1, tiles.entries(), channels, scratch, products, statistics};
    sums.dbias = dbias.data;
    sums.dweight = dweight.data;
    sums.total_out = of_gradient;
    sums.product_out = of_product;
    sums.weight = weight.data;
    sums.scale = 1 / static_cast<double>(std::max<std::int64_t>(1, tiles.rows));
    launch_merge_sums(sums, x.dtype, stream);
  }
  if (dx.data) launch_normalise_backward(dy, x, statistics, weight, of_gradient, of_product, dx, tiles, stream);
}
