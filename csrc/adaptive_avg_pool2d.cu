// Adaptive average pooling on channels-last memory.
#include "adaptive_avg_pool2d.h"

#include "device/average_pool.h"

// ---- launchers

void launch_adaptive_avg_pool2d_forward(const ArrayView& x, const ArrayView& y, const Pool2dShape& shape,
                                        simt::Stream stream) {
  launch_average_forward(x, y, shape, AverageBins{BinAxis(shape.rows)},
                         AverageBins{BinAxis(shape.columns)}, stream);
  CHECK_LAUNCH("adaptive_avg_pool2d_forward");
}

void launch_adaptive_avg_pool2d_backward(const ArrayView& dy, const ArrayView& dx, const Pool2dShape& shape,
                                         simt::Stream stream) {
  launch_average_backward(dy, dx, shape, AverageBins{BinAxis(shape.rows)},
                          AverageBins{BinAxis(shape.columns)}, stream);
  CHECK_LAUNCH("adaptive_avg_pool2d_backward");
}
