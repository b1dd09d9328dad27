// How often each class was taken for each class. Atomics on integers: their order changes nothing.
#include "confusion_counts.h"

#include "device/rows.h"
#include "device/targets.h"

namespace {

// counts: (classes, classes). A sample whose class does not exist is not counted. Whole numbers may be added by
// atomics: their sum does not depend on the order.
__device__ __forceinline__ void count_pair(unsigned long long* counts, const TargetRule& rule, std::int64_t target,
                                           std::int64_t predicted) {
  if (rule.counts(target) && rule.valid(predicted)) atomicAdd(counts + target * rule.classes + predicted, 1);
}

struct PredictedClass {
  std::int64_t index;
};

// The first of equal largest scores, the first NaN where there is one.
struct ArgmaxRows {
  static constexpr int kInputs = 1;  // scores
  using Record = PredictedClass;

  const std::int64_t* target;
  unsigned long long* counts;
  TargetRule rule;

  __device__ __forceinline__ void start(Record* records, std::int64_t, int rows) const {
    for (int r = int(threadIdx.x); r < rows; r += int(blockDim.x)) records[r] = {0};
  }

  template <class Row, class Team>
  __device__ __forceinline__ Record operator()(Record record, const Row& row, const Team& team) const {
    const auto top = greatest(row, team);
    std::int64_t index = rule.classes;
    row.each([&](std::int64_t c, const auto& v) {
      const bool largest = v[0] == top || (v[0] != v[0] && top != top);
      if (largest && c < index) index = c;
    });
    record.index = team.reduce(index, Minimum{});
    return record;
  }

  __device__ __forceinline__ void finish(const Record* records, std::int64_t first, int rows) const {
    for (int r = int(threadIdx.x); r < rows; r += int(blockDim.x)) {
      count_pair(counts, rule, target[first + r], records[r].index);
    }
  }
};

// One thread per label.
__global__ void __launch_bounds__(kThreads)
    label_pairs_kernel(const std::int64_t* prediction, const std::int64_t* target, unsigned long long* counts,
                       std::int64_t n, TargetRule rule) {
  const std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= n) return;
  count_pair(counts, rule, target[i], prediction[i]);
}

}  // namespace

// ---- launchers

void launch_confusion_counts(const ArrayView& prediction, const ArrayView& target, const ArrayView& counts,
                             bool ignores, std::int64_t ignore_index, simt::Stream stream) {
  if (target.size == 0) return;
  auto* pairs = counts.as<unsigned long long>();
  const auto* targets = target.as<const std::int64_t>();
  const TargetRule rule{counts.shape[0], ignores, ignore_index};
  if (prediction.dtype == DType::int64) {
    simt::launch(one_dimensional(target.size, stream), label_pairs_kernel, prediction.as<const std::int64_t>(), targets,
                 pairs, target.size, rule);
  } else {
    dispatch_float(prediction.dtype, [&](auto type) {
      using T = typename decltype(type)::type;
      const RowArrays<T, 1> arrays{{prediction.as<const T>()},
                                   nullptr,
                                   prediction.shape[0],
                                   prediction.shape[1],
                                   vector_aligned(prediction)};
      launch_rows(arrays, ArgmaxRows{targets, pairs, rule}, stream);
    });
  }
  CHECK_LAUNCH("confusion_counts");
}
