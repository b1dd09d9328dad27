// Group normalisation: what a group has from the sums of its channels.
#include "group_norm.h"

#include <algorithm>

#include "device/channel_statistics.h"
#include "device/moments.h"
#include "device/reduce.h"
#include "normalise.h"

// ---- kernels

namespace {

// One block per group of a sample. In double, about the mean of the first entry: deviations from it neither cancel nor
// overflow.
template <class A>
__global__ void __launch_bounds__(kThreads)
    group_statistics_kernel(const double* means, const A* squares, ChannelTiles tiles, std::int64_t groups,
                            double eps, A* mean, A* rstd) {
  const std::int64_t size = tiles.channels / groups, sample = blockIdx.x / groups, group = blockIdx.x % groups;
  const std::int64_t begin = sample * tiles.entries() * tiles.channels + group * size;
  const double shift = finite_shift(means[begin]);
  double sum = 0, square = 0;
  for (std::int64_t i = threadIdx.x; i < tiles.entries() * size; i += blockDim.x) {
    const std::int64_t entry = i / size, at = begin + entry * tiles.channels + i % size;
    const std::int64_t rows = tiles.rows_of(entry);
    if (rows == 0) continue;
    const double deviation = means[at] - shift;
    sum += double(rows) * deviation;
    square += double(squares[at]) + double(rows) * deviation * deviation;
  }
  sum = block_reduce(sum, Sum());
  square = block_reduce(square, Sum());
  if (threadIdx.x > 0) return;
  const Moments<double> moments = moments_about(shift, double(tiles.rows) * double(size), sum, square);
  mean[blockIdx.x] = A(moments.mean);
  rstd[blockIdx.x] = A(1 / sqrt(moments.squares / moments.count + eps));
}

// One block per group of a sample. totals, products: (N, C), sums of dy and of dy * xhat. of_gradient, of_product:
// (N, G), the means of both times weight.
template <class T>
__global__ void __launch_bounds__(kThreads)
    group_gradients_kernel(const accumulate_t<T>* totals, const accumulate_t<T>* products, const T* weight,
                           std::int64_t rows, std::int64_t size, std::int64_t groups, accumulate_t<T>* of_gradient,
                           accumulate_t<T>* of_product) {
  using A = accumulate_t<T>;
  const std::int64_t first = blockIdx.x % groups * size, begin = blockIdx.x * size;
  double total = 0, product = 0;
  for (std::int64_t i = threadIdx.x; i < size; i += blockDim.x) {
    const double factor = weight ? double(widen(weight[first + i])) : 1;
    total += factor * double(totals[begin + i]);
    product += factor * double(products[begin + i]);
  }
  total = block_reduce(total, Sum());
  product = block_reduce(product, Sum());
  if (threadIdx.x > 0) return;
  const double count = double(rows) * double(size);
  of_gradient[blockIdx.x] = A(total / count);
  of_product[blockIdx.x] = A(product / count);
}

// One block per group of a sample, of as many warps as its numbers fill.
simt::LaunchConfig group_config(const ArrayView& mean, std::int64_t numbers, simt::Stream stream) {
  simt::LaunchConfig config = one_dimensional(mean.size * kThreads, stream);
  config.block = dim3(static_cast<unsigned>(32 * ceil_div(std::min<std::int64_t>(numbers, kThreads), 32)));
  return config;
}

}  // namespace

// ---- launchers

void launch_group_norm_forward(const ArrayView& x, const ArrayView& weight, const ArrayView& bias, const ArrayView& y,
                               const ArrayView& mean, const ArrayView& rstd, double eps, const ChannelTiles& tiles,
                               void* scratch, simt::Stream stream) {
  if (x.size == 0) return;
  const std::int64_t groups = mean.shape[1];
  const ChannelMoments moments = launch_channel_moments(x, tiles, scratch, stream);
  dispatch_statistics(x.dtype, [&](auto type) {
    using A = typename decltype(type)::type;
    simt::launch(group_config(mean, tiles.entries() * tiles.channels / groups, stream), group_statistics_kernel<A>,
                 moments.means, static_cast<const A*>(moments.squares), tiles, groups, eps, mean.as<A>(),
                 rstd.as<A>());
  });
  CHECK_LAUNCH("group_norm_forward");
  launch_normalise(x, {mean.data, rstd.data, groups}, weight, bias, y, tiles, ArrayView(), stream);
}

void launch_group_norm_backward(const ArrayView& dy, const ArrayView& x, const ArrayView& mean, const ArrayView& rstd,
                                const ArrayView& weight, const ArrayView& dx, const ArrayView& dweight,
                                const ArrayView& dbias, const ChannelTiles& tiles, void* scratch, simt::Stream stream) {
  const std::int64_t channels = x.shape[2], groups = mean.shape[1];
  MergedSums of_all{1, 0, channels, nullptr, nullptr};
  of_all.dweight = dweight.data;
  of_all.dbias = dbias.data;
  if (x.size == 0) return launch_merge_sums(of_all, x.dtype, stream);  // zeros
  const GroupStatistics statistics{mean.data, rstd.data, groups};
  void* products = numbers_after(scratch, tiles.partials(), x.dtype);
  void* channel_totals = numbers_after(products, tiles.partials(), x.dtype);
  void* channel_products = numbers_after(channel_totals, tiles.samples * channels, x.dtype);
  if (!dx.data && !dweight.data) products = channel_products = nullptr;
  if (dx.data || dweight.data || dbias.data) {
    launch_gradient_sums(dy, x, statistics, tiles, scratch, products, stream);
    MergedSums of_samples{tiles.samples, tiles.entries(), channels, scratch, products, statistics};
    of_samples.total_out = channel_totals;
    of_samples.product_out = channel_products;
    launch_merge_sums(of_samples, x.dtype, stream);
  }
  if (dweight.data || dbias.data) {
    of_all.entries = tiles.samples;
    of_all.totals = channel_totals;
    of_all.products = channel_products;
    launch_merge_sums(of_all, x.dtype, stream);
  }
  if (!dx.data) return;
  void* of_gradient = numbers_after(channel_products, tiles.samples * channels, x.dtype);
  void* of_product = numbers_after(of_gradient, mean.size, x.dtype);
  dispatch_float(x.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    using A = accumulate_t<T>;
    simt::launch(group_config(mean, channels / groups, stream), group_gradients_kernel<T>,
                 static_cast<const A*>(channel_totals), static_cast<const A*>(channel_products), weight.as<const T>(),
                 tiles.rows, channels / groups, groups, static_cast<A*>(of_gradient), static_cast<A*>(of_product));
  });
  CHECK_LAUNCH("group_norm_backward");
  launch_normalise_backward(dy, x, statistics, weight, of_gradient, of_product, dx, tiles, stream);
}
