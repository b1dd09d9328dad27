// How many rows have their target among the k largest scores. Atomics on integers: their order changes nothing.
#include "top_k_correct.h"

#include "device/rows.h"
#include "device/targets.h"

namespace {

// All threads of a block: adds how many of them are correct and counted. counts: (2,), whole numbers, whose sum does
// not depend on the order of the atomics.
__device__ __forceinline__ void add_counts(unsigned long long* counts, bool correct, bool counted) {
  const int both = __syncthreads_count(correct && counted), all = __syncthreads_count(counted);
  if (threadIdx.x != 0) return;
  if (both) atomicAdd(counts, both);
  if (all) atomicAdd(counts + 1, all);
}

struct RankRecord {
  std::int64_t target;
  std::int64_t before;  // classes that come before the target
};

// Class c comes before class t if its score is larger, or equal and c < t; NaN is above every number and equal to NaN.
struct RankRows {
  static constexpr int kInputs = 1;  // scores
  using Record = RankRecord;

  const std::int64_t* target;
  unsigned long long* counts;
  std::int64_t k;
  TargetRule rule;

  __device__ __forceinline__ void start(Record* records, std::int64_t first, int rows) const {
    for (int r = int(threadIdx.x); r < rows; r += int(blockDim.x)) records[r] = {target[first + r], 0};
  }

  template <class Row, class Team>
  __device__ __forceinline__ Record operator()(Record record, const Row& row, const Team& team) const {
    using A = typename Row::V;
    const std::int64_t t = record.target;
    A own = 0;
    row.each([&](std::int64_t c, const auto& v) {
      if (c == t) own = v[0];
    });
    own = team.reduce(own, Sum{});  // all others have 0
    const bool own_is_nan = own != own;
    std::int64_t before = 0;
    row.each([&](std::int64_t c, const auto& v) {
      const bool above = !(v[0] <= own) && !own_is_nan, equal = v[0] == own || (own_is_nan && v[0] != v[0]);
      before += above || (equal && c < t);
    });
    record.before = team.reduce(before, Sum{});
    return record;
  }

  __device__ __forceinline__ void finish(const Record* records, std::int64_t, int rows) const {
    for (int base = 0; base < rows; base += int(blockDim.x)) {
      const int r = base + int(threadIdx.x);
      const bool counted = r < rows && rule.counts(records[r].target);
      add_counts(counts, counted && records[r].before < k, counted);
    }
  }
};

// One thread per label. Any target that is not ignored counts: the classes are not known.
__global__ void __launch_bounds__(kThreads)
    equal_labels_kernel(const std::int64_t* prediction, const std::int64_t* target, unsigned long long* counts,
                        std::int64_t n, bool ignores, std::int64_t ignore_index) {
  const std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  const bool counted = i < n && !(ignores && target[i] == ignore_index);
  add_counts(counts, counted && prediction[i] == target[i], counted);
}

}  // namespace

// ---- launchers

void launch_top_k_correct(const ArrayView& prediction, const ArrayView& target, const ArrayView& counts, std::int64_t k,
                          bool ignores, std::int64_t ignore_index, simt::Stream stream) {
  if (target.size == 0) return;
  auto* totals = counts.as<unsigned long long>();
  const auto* targets = target.as<const std::int64_t>();
  if (prediction.dtype == DType::int64) {
    simt::launch(one_dimensional(target.size, stream), equal_labels_kernel, prediction.as<const std::int64_t>(),
                 targets, totals, target.size, ignores, ignore_index);
  } else {
    dispatch_float(prediction.dtype, [&](auto type) {
      using T = typename decltype(type)::type;
      const RowArrays<T, 1> arrays{{prediction.as<const T>()},
                                   nullptr,
                                   prediction.shape[0],
                                   prediction.shape[1],
                                   vector_aligned(prediction)};
      const TargetRule rule{prediction.shape[1], ignores, ignore_index};
      launch_rows(arrays, RankRows{targets, totals, k, rule}, stream);
    });
  }
  CHECK_LAUNCH("top_k_correct");
}
