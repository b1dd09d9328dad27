// Binding of affine maps of images.
#include "bindings.h"
#include "image_affine.h"

namespace {

void image_affine(const Call& call) {
  const ImageShape shape = image_shape(call);
  require_table(call, "matrices", DType::float32, {shape.samples, 2, 3});
  require_table(call, "fill", call.array("x").dtype, {shape.channels});
  launch_image_affine(call.array("x"), call.array("matrices"), call.array("fill"), call.array("y"), shape,
                      call.choice("interpolation", {"nearest", "bilinear"}) == 1, call.stream());
}

}  // namespace

void bind_image_affine(Operators& operators) {
  operators.push_back({"image_affine",
                       {{"x", Access::read, kChannelsLast},
                        {"matrices", Access::read},
                        {"fill", Access::read},
                        {"y", Access::write, kChannelsLast}},
                       {{"interpolation", NumberKind::word}},
                       image_affine});
}
