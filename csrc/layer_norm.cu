// Layer normalisation of rows, which stay in registers up to 8192 floats.
#include "layer_norm.h"

#include <algorithm>

#include "device/channel_statistics.h"
#include "device/group.h"
#include "device/reduce.h"

// ---- kernels

namespace {

constexpr int kMaxTeam = 512, kHeld = 4;

// The threads of a row and their part of it. A team is a power of two; beyond a warp it is the whole block. Its groups
// of 16 bytes lie on multiples of 16 bytes of the array, so only the first and the last of a row can be partial.
template <class T>
struct Row {
  static constexpr int N = kVector<T>;
  std::int64_t row, begin, end, base;  // elements [begin, end) of the array; the group of element base is the first
  int team, lane;
  bool aligned;

  // A row that is not there is empty: its lanes still take part in the reductions.
  __device__ __forceinline__ Row(std::int64_t rows, std::int64_t extent, int team_, bool aligned_)
      : row(std::int64_t(blockIdx.x) * (int(blockDim.x) / team_) + int(threadIdx.x) / team_),
        begin(row < rows ? row * extent : 0),
        end(row < rows ? begin + extent : 0),
        base(begin / N * N),
        team(team_),
        lane(int(threadIdx.x) % team_),
        aligned(aligned_) {}

  __device__ __forceinline__ std::int64_t first_of(int group) const {
    return base + (std::int64_t(group) * team + lane) * N;
  }
  __device__ __forceinline__ bool has(std::int64_t element) const { return element >= begin && element < end; }

  __device__ __forceinline__ void hold(const T* memory, Group<T> (&held)[kHeld]) const {
#pragma unroll
    for (int k = 0; k < kHeld; k++) {
      if (first_of(k) < end) held[k].load(memory, first_of(k), begin, end, aligned);
    }
  }

  // function(first, group...) for each of the thread's groups, of one array or two; what is not held is loaded again.
  template <class Function, class... Held>
  __device__ __forceinline__ void each(const Function& function, const T* const (&memory)[sizeof...(Held)],
                                       const Held&... held) const {
#pragma unroll
    for (int k = 0; k < kHeld; k++) {
      if (first_of(k) < end) function(first_of(k), held[k]...);
    }
    for (int k = kHeld; first_of(k) < end; k++) {
      Group<T> loaded[sizeof...(Held)];
#pragma unroll
      for (int i = 0; i < int(sizeof...(Held)); i++) loaded[i].load(memory[i], first_of(k), begin, end, aligned);
      if constexpr (sizeof...(Held) == 1) {
        function(first_of(k), loaded[0]);
      } else {
        static_assert(sizeof...(Held) == 2, "one array or two");
        function(first_of(k), loaded[0], loaded[1]);
      }
    }
  }

  __device__ __forceinline__ accumulate_t<T> sum(accumulate_t<T> value) const {
    return team > 32 ? block_reduce(value, Sum()) : team_reduce(value, team, Sum());
  }

  // The numbers of a vector of K that belong to the group of element `first`, or `otherwise` where there is no vector.
  __device__ __forceinline__ void of_columns(const T* vector, accumulate_t<T> otherwise, std::int64_t first,
                                             accumulate_t<T> (&values)[N], bool vectors) const {
    if (vector) {
      load_group<N>(values, vector, first - begin, 0, end - begin, vectors && begin % N == 0);
      return;
    }
#pragma unroll
    for (int j = 0; j < N; j++) values[j] = otherwise;
  }
};

// One team per row: x (rows, K) -> y, mean, rstd. The variance is of deviations from the mean, so nothing cancels where
// that is far from 0. One resident block is enough: left to itself ptxas held half precision to 64 registers and
// spilled.
template <class T>
__global__ void __launch_bounds__(kMaxTeam, 1)
    layer_norm_forward_kernel(const T* x, const T* weight, const T* bias, T* y, accumulate_t<T>* mean,
                              accumulate_t<T>* rstd, std::int64_t rows, std::int64_t extent, accumulate_t<T> eps,
                              int team, bool aligned, bool vectors) {
  constexpr int N = kVector<T>;
  using A = accumulate_t<T>;
  const Row<T> row(rows, extent, team, aligned);
  Group<T> held[kHeld];
  row.hold(x, held);
  A values[N], sum = A(0), square = A(0);
  row.each(
      [&](std::int64_t, const Group<T>& group) {
        group.unpack(values);
#pragma unroll
        for (int j = 0; j < N; j++) sum += values[j];
      },
      {x}, held);
  const A average = row.sum(sum) / A(extent);
  row.each(
      [&](std::int64_t first, const Group<T>& group) {
        group.unpack(values);
#pragma unroll
        for (int j = 0; j < N; j++) {
          const A deviation = row.has(first + j) ? values[j] - average : A(0);
          square += deviation * deviation;
        }
      },
      {x}, held);
  const A inverse = A(1) / sqrt(row.sum(square) / A(extent) + eps);
  if (row.begin == row.end) return;
  if (row.lane == 0) {
    mean[row.row] = average;
    rstd[row.row] = inverse;
  }
  row.each(
      [&](std::int64_t first, const Group<T>& group) {
        A factor[N], shift[N];
        group.unpack(values);
        row.of_columns(weight, A(1), first, factor, vectors);
        row.of_columns(bias, A(0), first, shift, vectors);
#pragma unroll
        for (int j = 0; j < N; j++) values[j] = (values[j] - average) * inverse * factor[j] + shift[j];
        store_group<N>(y, values, first, row.begin, row.end, aligned);
      },
      {x}, held);
}

// One team per row: dx = rstd * (g - mean of g - xhat * mean of g * xhat), with g = dy * weight.
template <class T>
__global__ void __launch_bounds__(kMaxTeam)
    layer_norm_backward_kernel(const T* dy, const T* x, const accumulate_t<T>* mean, const accumulate_t<T>* rstd,
                               const T* weight, T* dx, std::int64_t rows, std::int64_t extent, int team, bool aligned,
                               bool vectors) {
  constexpr int N = kVector<T>;
  using A = accumulate_t<T>;
  const Row<T> row(rows, extent, team, aligned);
  const bool exists = row.begin < row.end;
  const A average = exists ? mean[row.row] : A(0), inverse = exists ? rstd[row.row] : A(0);
  Group<T> gradients[kHeld], sources[kHeld];
  row.hold(dy, gradients);
  row.hold(x, sources);
  A gradient[N], source[N], factor[N], total = A(0), product = A(0);
  const auto take = [&](std::int64_t first, const Group<T>& of_dy, const Group<T>& of_x) {
    of_dy.unpack(gradient);
    of_x.unpack(source);
    row.of_columns(weight, A(1), first, factor, vectors);
#pragma unroll
    for (int j = 0; j < N; j++) {
      gradient[j] *= factor[j];
      source[j] = (source[j] - average) * inverse;
    }
  };
  row.each(
      [&](std::int64_t first, const Group<T>& of_dy, const Group<T>& of_x) {
        take(first, of_dy, of_x);
#pragma unroll
        for (int j = 0; j < N; j++) {
          if (!row.has(first + j)) continue;
          total += gradient[j];
          product += gradient[j] * source[j];
        }
      },
      {dy, x}, gradients, sources);
  total = row.sum(total) / A(extent);
  product = row.sum(product) / A(extent);
  row.each(
      [&](std::int64_t first, const Group<T>& of_dy, const Group<T>& of_x) {
        take(first, of_dy, of_x);
#pragma unroll
        for (int j = 0; j < N; j++) gradient[j] = inverse * (gradient[j] - total - source[j] * product);
        store_group<N>(dx, gradient, first, row.begin, row.end, aligned);
      },
      {dy, x}, gradients, sources);
}

// The threads of a row: up to a warp as many as it has groups of 16 bytes, beyond that a fourth of them.
int team_of(const ArrayView& x) {
  const std::int64_t vector = 16 / dtype_bytes(x.dtype), groups = ceil_div(x.shape[1], vector);
  int team = 1;
  while (team < 32 && team < groups) team *= 2;
  while (team < kMaxTeam && kHeld * team < groups) team *= 2;
  return team;
}

simt::LaunchConfig row_config(const ArrayView& x, int team, simt::Stream stream) {
  const int threads = std::max(kThreads, team);
  simt::LaunchConfig config = one_dimensional(ceil_div(x.shape[0], team > 32 ? 1 : threads / team) * kThreads, stream);
  config.block = dim3(static_cast<unsigned>(team > 32 ? team : threads));
  return config;
}

}  // namespace

// ---- launchers

void launch_layer_norm_forward(const ArrayView& x, const ArrayView& weight, const ArrayView& bias, const ArrayView& y,
                               const ArrayView& mean, const ArrayView& rstd, double eps, simt::Stream stream) {
  if (x.size == 0) return;
  const int team = team_of(x);
  const bool aligned = vector_aligned(x) && vector_aligned(y), vectors = vector_aligned(weight) && vector_aligned(bias);
  dispatch_float(x.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    using A = accumulate_t<T>;
    simt::launch(row_config(x, team, stream), layer_norm_forward_kernel<T>, x.as<const T>(), weight.as<const T>(),
                 bias.as<const T>(), y.as<T>(), mean.as<A>(), rstd.as<A>(), x.shape[0], x.shape[1], A(eps), team,
                 aligned, vectors);
  });
  CHECK_LAUNCH("layer_norm_forward");
}

void launch_layer_norm_backward(const ArrayView& dy, const ArrayView& x, const ArrayView& mean, const ArrayView& rstd,
                                const ArrayView& weight, const ArrayView& dx, const ArrayView& dweight,
                                const ArrayView& dbias, const ChannelTiles& tiles, void* scratch, simt::Stream stream) {
  if (dweight.data || dbias.data) {
    void* products = dweight.data ? numbers_after(scratch, tiles.partials(), x.dtype) : nullptr;
    launch_gradient_sums_by_row(dy, x, mean, rstd, tiles, scratch, products, stream);
    MergedSums sums{1, tiles.entries(), x.shape[1], scratch, products};
    sums.dweight = dweight.data;
    sums.dbias = dbias.data;
    launch_merge_sums(sums, x.dtype, stream);
  }
  if (x.size == 0 || !dx.data) return;
  const int team = team_of(x);
  const bool aligned = vector_aligned(dy) && vector_aligned(x) && vector_aligned(dx);
  dispatch_float(x.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    using A = accumulate_t<T>;
    simt::launch(row_config(x, team, stream), layer_norm_backward_kernel<T>, dy.as<const T>(), x.as<const T>(),
                 mean.as<const A>(), rstd.as<const A>(), weight.as<const T>(), dx.as<T>(), x.shape[0], x.shape[1], team,
                 aligned, vector_aligned(weight));
  });
  CHECK_LAUNCH("layer_norm_backward");
}
