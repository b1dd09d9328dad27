// Binding of the normalisation of images.
#include "bindings.h"
#include "image_normalize.h"
#include "images.h"

namespace {

void image_normalize(const Call& call) {
  require_pixels(call, "x");
  call.require_float("y");
  call.require_rank("y", 4);
  const ArrayView& x = call.array("x");
  const ArrayView& y = call.array("y");
  const bool planes = call.integer("planes", 0, 1) != 0;
  const std::int64_t channels = y.shape[3];
  if (planes) {
    call.require_shape("x", {y.shape[0], channels, y.shape[1], y.shape[2]}, "(N, C, H, W) of y (N, H, W, C)");
  } else {
    call.require_same_shape({"y", "x"});
  }
  if (channels > 1 << 30) call.refuse("x must have at most 2^30 channels");
  const bool wide = x.dtype == DType::float64 || y.dtype == DType::float64;
  for (const char* name : {"mean", "factor"}) {
    require_table(call, name, wide ? DType::float64 : DType::float32, {channels});
  }
  launch_image_normalize(x, call.array("mean"), call.array("factor"), y, planes, call.stream());
}

}  // namespace

void bind_image_normalize(Operators& operators) {
  operators.push_back(
      {"image_normalize",
       {{"x", Access::read}, {"mean", Access::read}, {"factor", Access::read}, {"y", Access::write}},
       {{"planes", NumberKind::integer}},
       image_normalize});
}
