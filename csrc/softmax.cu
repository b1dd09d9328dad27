// Softmax and its logarithm over rows. The kernels are in device/rows.h; here is what they do with a row.
#include "softmax.h"

#include "device/rows.h"

namespace {

struct Nothing {};

// Algorithms that keep nothing for a row.
struct Plain {
  using Record = Nothing;
  __device__ __forceinline__ void start(Record*, std::int64_t, int) const {}
  __device__ __forceinline__ void finish(const Record*, std::int64_t, int) const {}
};

// The greatest of a row and the sum of exp(x - greatest), which cannot overflow. Two steps, not one that corrects its
// sum as the maximum grows: a thread that saw only -inf would have nothing to correct.
template <class Row, class Team>
__device__ __forceinline__ void summarise(const Row& row, const Team& team, typename Row::V& top,
                                          typename Row::V& total) {
  top = greatest(row, team);
  total = 0;
  row.each([&](std::int64_t, const auto& v) { total += exp(v[0] - top); });
  total = team.reduce(total, Sum{});
}

struct SoftmaxForward : Plain {
  static constexpr int kInputs = 1;  // x
  template <class Row, class Team>
  __device__ __forceinline__ Record operator()(Record record, const Row& row, const Team& team) const {
    using A = typename Row::V;
    A top, total;
    summarise(row, team, top, total);
    row.map([&](std::int64_t, const auto& v) { return A(exp(v[0] - top) / total); });
    return record;
  }
};

struct LogSoftmaxForward : Plain {
  static constexpr int kInputs = 1;  // x
  template <class Row, class Team>
  __device__ __forceinline__ Record operator()(Record record, const Row& row, const Team& team) const {
    using A = typename Row::V;
    A top, total;
    summarise(row, team, top, total);
    const A log_total = log(total);
    row.map([&](std::int64_t, const auto& v) { return A((v[0] - top) - log_total); });
    return record;
  }
};

struct SoftmaxBackward : Plain {
  static constexpr int kInputs = 2;  // dy, y
  template <class Row, class Team>
  __device__ __forceinline__ Record operator()(Record record, const Row& row, const Team& team) const {
    using A = typename Row::V;
    A dot = 0;
    row.each([&](std::int64_t, const auto& v) { dot += v[0] * v[1]; });
    dot = team.reduce(dot, Sum{});
    row.map([&](std::int64_t, const auto& v) { return A(v[1] * (v[0] - dot)); });
    return record;
  }
};

struct LogSoftmaxBackward : Plain {
  static constexpr int kInputs = 2;  // dy, y
  template <class Row, class Team>
  __device__ __forceinline__ Record operator()(Record record, const Row& row, const Team& team) const {
    using A = typename Row::V;
    A total = 0;
    row.each([&](std::int64_t, const auto& v) { total += v[0]; });
    total = team.reduce(total, Sum{});
    row.map([&](std::int64_t, const auto& v) { return A(v[0] - exp(v[1]) * total); });
    return record;
  }
};

template <class Algorithm>
void launch_forward(const ArrayView& x, const ArrayView& y, simt::Stream stream) {
  dispatch_float(x.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const RowArrays<T, 1> arrays{
        {x.as<const T>()}, y.as<T>(), x.shape[0], x.shape[1], vector_aligned(x) && vector_aligned(y)};
    launch_rows(arrays, Algorithm{}, stream);
  });
}

template <class Algorithm>
void launch_backward(const ArrayView& dy, const ArrayView& y, const ArrayView& dx, simt::Stream stream) {
  const bool aligned = vector_aligned(dy) && vector_aligned(y) && vector_aligned(dx);
  dispatch_float(dy.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const RowArrays<T, 2> arrays{
        {dy.as<const T>(), y.as<const T>()}, dx.as<T>(), dy.shape[0], dy.shape[1], aligned};
    launch_rows(arrays, Algorithm{}, stream);
  });
}

}  // namespace

// ---- launchers

void launch_softmax_forward(const ArrayView& x, const ArrayView& y, simt::Stream stream) {
  launch_forward<SoftmaxForward>(x, y, stream);
  CHECK_LAUNCH("softmax_forward");
}

void launch_softmax_backward(const ArrayView& dy, const ArrayView& y, const ArrayView& dx, simt::Stream stream) {
  launch_backward<SoftmaxBackward>(dy, y, dx, stream);
  CHECK_LAUNCH("softmax_backward");
}

void launch_log_softmax_forward(const ArrayView& x, const ArrayView& y, simt::Stream stream) {
  launch_forward<LogSoftmaxForward>(x, y, stream);
  CHECK_LAUNCH("log_softmax_forward");
}

void launch_log_softmax_backward(const ArrayView& dy, const ArrayView& y, const ArrayView& dx, simt::Stream stream) {
  launch_backward<LogSoftmaxBackward>(dy, y, dx, stream);
  CHECK_LAUNCH("log_softmax_backward");
}
