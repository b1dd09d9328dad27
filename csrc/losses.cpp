// How the losses over elements are cut.
#include "losses.h"

#include <algorithm>

std::int64_t loss_blocks(const ArrayView& prediction) {
  // Four groups of 16 bytes a thread; from 1024 blocks on, which fill every GPU, more.
  const std::int64_t groups = ceil_div(prediction.size * dtype_bytes(prediction.dtype), 16);
  return std::max<std::int64_t>(1, std::min<std::int64_t>(1024, ceil_div(groups, 4 * 256)));
}
