// Average pooling on channels-last memory.
#include "avg_pool2d.h"

#include "device/average_pool.h"

// ---- launchers

namespace {

AverageWindows along_rows(const Pool2dShape& shape, bool count_padding, std::int64_t divisor) {
  return {shape.rows, count_padding, divisor};
}
AverageWindows along_columns(const Pool2dShape& shape, bool count_padding, std::int64_t divisor) {
  return {shape.columns, count_padding, divisor ? 1 : 0};
}

}  // namespace

void launch_avg_pool2d_forward(const ArrayView& x, const ArrayView& y, const Pool2dShape& shape, bool count_padding,
                               std::int64_t divisor, simt::Stream stream) {
  launch_average_forward(x, y, shape, along_rows(shape, count_padding, divisor),
                         along_columns(shape, count_padding, divisor), stream);
  CHECK_LAUNCH("avg_pool2d_forward");
}

void launch_avg_pool2d_backward(const ArrayView& dy, const ArrayView& dx, const Pool2dShape& shape, bool count_padding,
                                std::int64_t divisor, simt::Stream stream) {
  launch_average_backward(dy, dx, shape, along_rows(shape, count_padding, divisor),
                          along_columns(shape, count_padding, divisor), stream);
  CHECK_LAUNCH("avg_pool2d_backward");
}
