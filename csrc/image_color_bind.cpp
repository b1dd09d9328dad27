// Binding of brightness, contrast, saturation and hue.
#include "bindings.h"
#include "image_color.h"

namespace {

void image_color(const Call& call) {
  const ImageShape shape = same_size_shape(call);
  require_table(call, "factors", wide_dtype(call.array("x").dtype), {shape.samples, 4});
  require_table(call, "steps", DType::uint8, {shape.samples, 4});
  if (call.array("y").size == 0) return;
  const std::size_t greys = std::size_t(shape.samples * image_color_pieces(shape));
  launch_image_color(call.array("x"), call.array("factors"), call.array("steps"), call.array("y"),
                     static_cast<double*>(call.scratch(greys * sizeof(double))), shape, call.stream());
}

}  // namespace

void bind_image_color(Operators& operators) {
  operators.push_back({"image_color",
                       {{"x", Access::read, kChannelsLast},
                        {"factors", Access::read},
                        {"steps", Access::read},
                        {"y", Access::write, kChannelsLast}},
                       {},
                       image_color});
}
