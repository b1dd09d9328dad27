// Softmax, cross entropy and its gradient in one pass over rows, by the kernels of device/rows.h.
#include "cross_entropy.h"

#include "device/rows.h"
#include "device/targets.h"

namespace {

template <class T>
__device__ __forceinline__ accumulate_t<T> weight_of(const T* weight, std::int64_t c) {
  return weight ? widen(weight[c]) : accumulate_t<T>(1);
}

template <class A>
struct RowLoss {
  std::int64_t target;
  A loss, counted;
};

template <class T>
struct RowOutputs {
  using A = accumulate_t<T>;
  A* loss;
  A* counted;

  __device__ __forceinline__ void store(const RowLoss<A>* records, std::int64_t first, int rows) const {
    for (int r = int(threadIdx.x); r < rows; r += int(blockDim.x)) {
      loss[first + r] = records[r].loss;
      counted[first + r] = records[r].counted;
    }
  }
};

// Of the probability `own` is at the index and `share` at every class: with z = x - max and w the weights
// loss = own w[t] (log(total) - z[t]) + share (log(total) sum(w) - sum(w z)).
template <class T>
struct IndexRows {
  static constexpr int kInputs = 1;  // x
  using A = accumulate_t<T>;
  using Record = RowLoss<A>;

  const std::int64_t* target;
  const T* weight;
  RowOutputs<T> outputs;
  bool gradient;
  TargetRule rule;
  A own, share;

  __device__ __forceinline__ void start(Record* records, std::int64_t first, int rows) const {
    for (int r = int(threadIdx.x); r < rows; r += int(blockDim.x)) records[r] = {target[first + r], A(0), A(0)};
  }

  template <class Row, class Team>
  __device__ __forceinline__ Record operator()(Record record, const Row& row, const Team& team) const {
    const std::int64_t t = record.target;
    const A top = greatest(row, team);
    A total = 0, at_target = 0, spread = 0, weights = 0;
    row.each([&](std::int64_t c, const auto& v) {
      const A z = v[0] - top;
      total += exp(z);
      if (c == t) at_target = z;
      if (share != A(0)) {
        const A w = weight_of(weight, c);
        spread += w * z;
        weights += w;
      }
    });
    total = team.reduce(total, Sum{});
    at_target = team.reduce(at_target, Sum{});  // all others have 0
    if (share != A(0)) {
      spread = team.reduce(spread, Sum{});
      weights = team.reduce(weights, Sum{});
    }
    const bool ignored = rule.ignored(t);
    const A counted = counted_weight(rule, t, weight), mass = own * counted, log_total = log(total);
    A loss = mass * (log_total - at_target);
    if (share != A(0)) loss += share * (log_total * weights - spread);
    record.loss = ignored ? A(0) : loss;
    record.counted = counted;
    if (!gradient) return record;
    const A factor = (mass + share * weights) / total;
    row.map([&](std::int64_t c, const auto& v) {
      A slope = exp(v[0] - top) * factor;
      if (share != A(0)) slope -= share * weight_of(weight, c);
      if (c == t) slope -= mass;
      return ignored ? A(0) : slope;
    });
    return record;
  }

  __device__ __forceinline__ void finish(const Record* records, std::int64_t first, int rows) const {
    outputs.store(records, first, rows);
  }
};

// With q = w (own target + share): loss = log(total) sum(q) - sum(q z).
template <class T>
struct ProbabilityRows {
  static constexpr int kInputs = 2;  // x, target
  using A = accumulate_t<T>;
  using Record = RowLoss<A>;

  const T* weight;
  RowOutputs<T> outputs;
  bool gradient;
  A own, share;

  __device__ __forceinline__ void start(Record* records, std::int64_t, int rows) const {
    for (int r = int(threadIdx.x); r < rows; r += int(blockDim.x)) records[r] = {0, A(0), A(0)};
  }

  __device__ __forceinline__ A wanted(std::int64_t c, A probability) const {
    return (probability * own + share) * weight_of(weight, c);
  }

  template <class Row, class Team>
  __device__ __forceinline__ Record operator()(Record record, const Row& row, const Team& team) const {
    const A top = greatest(row, team);
    A total = 0, mass = 0, dot = 0;
    row.each([&](std::int64_t c, const auto& v) {
      const A z = v[0] - top, q = wanted(c, v[1]);
      total += exp(z);
      mass += q;
      dot += q * z;
    });
    total = team.reduce(total, Sum{});
    mass = team.reduce(mass, Sum{});
    dot = team.reduce(dot, Sum{});
    record.loss = mass * log(total) - dot;
    record.counted = 1;
    if (!gradient) return record;
    const A factor = mass / total;
    row.map([&](std::int64_t c, const auto& v) { return A(exp(v[0] - top) * factor - wanted(c, v[1])); });
    return record;
  }

  __device__ __forceinline__ void finish(const Record* records, std::int64_t first, int rows) const {
    outputs.store(records, first, rows);
  }
};

}  // namespace

// ---- launchers

void launch_cross_entropy_forward(const ArrayView& x, const ArrayView& target, const ArrayView& weight,
                                  const ArrayView& loss, const ArrayView& counted, const ArrayView& dx,
                                  std::int64_t ignore_index, double label_smoothing, simt::Stream stream) {
  const std::int64_t rows = x.shape[0], classes = x.shape[1];
  const bool gradient = dx.data != nullptr, indices = target.dtype == DType::int64;
  const bool aligned = vector_aligned(x) && vector_aligned(dx) && (indices || vector_aligned(target));
  dispatch_float(x.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    using A = accumulate_t<T>;
    const RowOutputs<T> outputs{loss.as<A>(), counted.as<A>()};
    const A own = A(1 - label_smoothing), share = A(label_smoothing / double(classes));
    if (indices) {
      const RowArrays<T, 1> arrays{{x.as<const T>()}, dx.as<T>(), rows, classes, aligned};
      launch_rows(arrays,
                  IndexRows<T>{target.as<const std::int64_t>(), weight.as<const T>(), outputs, gradient,
                               TargetRule{classes, true, ignore_index}, own, share},
                  stream);
    } else {
      const RowArrays<T, 2> arrays{{x.as<const T>(), target.as<const T>()}, dx.as<T>(), rows, classes, aligned};
      launch_rows(arrays, ProbabilityRows<T>{weight.as<const T>(), outputs, gradient, own, share}, stream);
    }
  });
  CHECK_LAUNCH("cross_entropy_forward");
}
