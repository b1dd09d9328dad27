// A running sum of samples, one after the other in float64, so that it does not depend on how they come in batches.
#include "sum_and_count.h"

#include "device/teams.h"
#include "dispatch.h"

// ---- kernels

namespace {

// values: (samples, size) -> terms: (samples,). A team per sample, in an order that its size alone gives: no vectors,
// because where a group of 16 bytes begins would depend on the place of the sample in its batch.
template <class T, class Team>
__device__ __forceinline__ void sum_sample(const T* values, double* terms, std::int64_t samples, std::int64_t size,
                                           std::int64_t sample, const Team& team) {
  double total = 0;
  if (sample < samples) {
    for (std::int64_t i = team.rank; i < size; i += team.size) total += double(widen(values[sample * size + i]));
  }
  total = team.reduce(total, Sum{});
  if (sample < samples && team.rank == 0) terms[sample] = total;
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    short_samples_kernel(const T* values, double* terms, std::int64_t samples, std::int64_t size, int lanes) {
  const std::int64_t sample = (std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x) / lanes;
  sum_sample(values, terms, samples, size, sample, LaneTeam(lanes));
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    long_samples_kernel(const T* values, double* terms, std::int64_t samples, std::int64_t size) {
  sum_sample(values, terms, samples, size, blockIdx.x, BlockTeam());
}

// One block, of which one thread adds: each sum is the start of the next. The others fetch ahead of it.
template <class T>
__global__ void __launch_bounds__(kThreads)
    add_in_order_kernel(const T* terms, double* sums, std::int64_t samples, double weight, double count) {
  SHARED_MEMORY(tile, double[kThreads]);
  double total = threadIdx.x == 0 ? sums[0] : 0;
  for (std::int64_t base = 0; base < samples; base += kThreads) {
    const std::int64_t i = base + threadIdx.x;
    if (i < samples) tile[threadIdx.x] = weight * double(widen(terms[i]));
    __syncthreads();
    if (threadIdx.x == 0) {
      const int here = int(samples - base < kThreads ? samples - base : kThreads);
      for (int k = 0; k < here; k++) total += tile[k];
    }
    __syncthreads();
  }
  if (threadIdx.x != 0) return;
  sums[0] = total;
  sums[1] += count;
}

}  // namespace

// ---- launchers

void launch_sum_and_count(const ArrayView& values, const ArrayView& sums, double weight, double* terms,
                          simt::Stream stream) {
  const std::int64_t samples = values.shape[0], size = values.shape[1];
  if (values.size == 0) return;
  const double count = weight * static_cast<double>(values.size);
  const simt::LaunchConfig one_block = one_dimensional(1, stream);
  dispatch_float(values.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const T* x = values.as<const T>();
    if (size == 1) {
      simt::launch(one_block, add_in_order_kernel<T>, x, sums.as<double>(), samples, weight, count);
      return;
    }
    if (size <= 1024) {
      const int lanes = lanes_for(size);
      simt::launch(one_dimensional(samples * lanes, stream), short_samples_kernel<T>, x, terms, samples, size, lanes);
    } else {
      simt::launch(one_dimensional(samples * kThreads, stream), long_samples_kernel<T>, x, terms, samples, size);
    }
    simt::launch(one_block, add_in_order_kernel<double>, terms, sums.as<double>(), samples, weight, count);
  });
  CHECK_LAUNCH("sum_and_count");
}
