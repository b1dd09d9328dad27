// Binding of crops and flips of images.
#include "bindings.h"
#include "image_crop.h"

namespace {

void image_crop(const Call& call) {
  const ImageShape shape = image_shape(call);
  require_table(call, "rows", DType::int32, {shape.samples, shape.rows});
  require_table(call, "columns", DType::int32, {shape.samples, shape.columns});
  require_table(call, "fill", call.array("x").dtype, {shape.channels});
  launch_image_crop(call.array("x"), call.array("rows"), call.array("columns"), call.array("fill"), call.array("y"),
                    shape, call.stream());
}

}  // namespace

void bind_image_crop(Operators& operators) {
  operators.push_back({"image_crop",
                       {{"x", Access::read, kChannelsLast},
                        {"rows", Access::read},
                        {"columns", Access::read},
                        {"fill", Access::read},
                        {"y", Access::write, kChannelsLast}},
                       {},
                       image_crop});
}
