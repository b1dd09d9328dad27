// Binding of erased rectangles of images.
#include "bindings.h"
#include "image_erase.h"

namespace {

void image_erase(const Call& call) {
  const ImageShape shape = same_size_shape(call);
  require_table(call, "edges", DType::int32, {shape.samples, 4});
  require_table(call, "value", call.array("x").dtype, {shape.channels});
  launch_image_erase(call.array("x"), call.array("edges"), call.array("value"), call.array("y"), shape, call.stream());
}

}  // namespace

void bind_image_erase(Operators& operators) {
  operators.push_back({"image_erase",
                       {{"x", Access::read, kChannelsLast},
                        {"edges", Access::read},
                        {"value", Access::read},
                        {"y", Access::write, kChannelsLast}},
                       {},
                       image_erase});
}
