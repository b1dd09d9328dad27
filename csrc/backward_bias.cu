// Gradient of a bias: the sum of dy over all axes but that of the channels. The kernel is in device/column_sums.h.
#include "backward_bias.h"

#include <numeric>

#include "device/column_sums.h"

namespace {

// dy with `fold` rows taken as one, so that a row is a whole number of vectors whatever the number of channels.
struct FoldedRows {
  std::int64_t columns, rows;
  ColumnSumsPlan plan;

  FoldedRows(const ArrayView& dy, std::int64_t channels) {
    const std::int64_t vector = 16 / dtype_bytes(dy.dtype);
    columns = channels * (vector / std::gcd(channels, vector));
    rows = ceil_div(dy.size, columns);
    plan = column_sums_plan(rows, columns / vector);
  }
};

}  // namespace

// ---- launchers

std::size_t backward_bias_scratch(const ArrayView& dy, const ArrayView& dbias) {
  if (dy.size == 0) return 0;
  const FoldedRows folded(dy, dbias.size);
  return static_cast<std::size_t>(folded.plan.blocks * folded.columns * accumulate_bytes(dy.dtype));
}

void launch_backward_bias(const ArrayView& dy, const ArrayView& dbias, void* scratch, simt::Stream stream) {
  if (dbias.size == 0) return;
  const FoldedRows folded(dy, dbias.size);
  const bool aligned = vector_aligned(dy);
  const std::int64_t whole = aligned ? dy.size / folded.columns : 0;
  dispatch_float(dy.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const MatrixTerms<T> terms{dy.as<const T>(), folded.columns, dy.size, whole, aligned};
    launch_column_sums(terms, folded.rows, folded.plan, folded.columns, scratch, dbias.as<T>(), dbias.size, stream);
  });
  CHECK_LAUNCH("backward_bias");
}
