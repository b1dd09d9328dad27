// Arrays side by side, and cut again: copies.
#include "concat.h"

#include <algorithm>

#include "device/units.h"

// ---- kernels

namespace {

constexpr std::size_t kMost = 64;  // arrays of one launch: they travel as its arguments, which have 4 KB in all

// Arrays (M, K_i) beside each other, and the columns of a unit where they start; start[count] is where the last ends.
struct Pieces {
  void* array[kMost];
  std::int64_t start[kMost + 1];
  int count;
};

// One thread per unit of `columns` columns of `wide`, whose rows are `stride` units long; size: units in all. Threads
// follow the wide array, so both sides are read and written in runs. join: from the pieces, else to them.
template <class Unit>
__global__ void __launch_bounds__(kThreads)
    concat_kernel(const __grid_constant__ Pieces pieces, Unit* wide, std::int64_t size, std::int64_t columns,
                  std::int64_t stride, bool join) {
  const std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= size) return;
  const std::int64_t row = i / columns, column = i % columns;
  int low = 0, high = pieces.count - 1;  // the last piece that starts at or before the column
  while (low < high) {
    const int middle = (low + high + 1) / 2;
    if (pieces.start[middle] <= column) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  const std::int64_t start = pieces.start[low], width = pieces.start[low + 1] - start;
  Unit& piece = static_cast<Unit*>(pieces.array[low])[row * width + column - start];
  Unit& place = wide[row * stride + column];
  if (join) {
    place = piece;
  } else {
    piece = place;
  }
}

}  // namespace

// ---- launchers

namespace {

std::int64_t unit_of(const std::vector<ArrayView>& arrays, const ArrayView& wide) {
  const std::int64_t item = dtype_bytes(wide.dtype);
  std::int64_t unit = common_unit({wide.data}, {wide.shape[1] * item});
  for (const ArrayView& array : arrays) {
    if (array.size) unit = std::min(unit, common_unit({array.data}, {array.shape[1] * item}));
  }
  return unit;
}

void launch_concat(const std::vector<ArrayView>& arrays, const ArrayView& wide, bool join, simt::Stream stream) {
  if (wide.size == 0) return;
  const std::int64_t unit = unit_of(arrays, wide), item = dtype_bytes(wide.dtype);
  const std::int64_t rows = wide.shape[0], stride = wide.shape[1] * item / unit;
  std::int64_t done = 0;  // columns
  for (std::size_t first = 0; first < arrays.size(); first += kMost) {
    Pieces pieces{};
    for (std::size_t i = first; i < std::min(arrays.size(), first + kMost); i++) {
      if (arrays[i].size == 0) continue;
      pieces.array[pieces.count] = arrays[i].data;
      pieces.start[pieces.count + 1] = pieces.start[pieces.count] + arrays[i].shape[1] * item / unit;
      pieces.count++;
    }
    const std::int64_t columns = pieces.start[pieces.count];
    if (columns == 0) continue;
    dispatch_copy(unit, [&](auto type) {
      using Unit = typename decltype(type)::type;
      simt::launch(one_dimensional(rows * columns, stream), concat_kernel<Unit>, pieces, wide.as<Unit>() + done,
                   rows * columns, columns, stride, join);
    });
    CHECK_LAUNCH("concat");
    done += columns;
  }
}

}  // namespace

void launch_concat_forward(const std::vector<ArrayView>& arrays, const ArrayView& y, simt::Stream stream) {
  launch_concat(arrays, y, true, stream);
}

void launch_concat_backward(const ArrayView& dy, const std::vector<ArrayView>& gradients, simt::Stream stream) {
  launch_concat(gradients, dy, false, stream);
}
