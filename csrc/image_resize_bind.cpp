// Binding of images at another size.
#include "bindings.h"
#include "image_resize.h"

namespace {

ResizeTaps taps(const Call& call, const char* first, const char* weights, const char* count, std::int64_t samples,
                int places) {
  require_table(call, first, DType::int32, {samples, places});
  call.require_rank(weights, 3);
  const std::int64_t longest = call.array(weights).shape[2];
  require_table(call, weights, wide_dtype(call.array("x").dtype), {samples, places, longest});
  if (longest > 1 << 30) call.refuse(std::string(weights) + " must have at most 2^30 taps");
  require_table(call, count, DType::int32, {samples});
  return {call.array(first), call.array(weights), call.array(count)};
}

void image_resize(const Call& call) {
  const ImageShape shape = image_shape(call);
  const ResizeTaps rows = taps(call, "row_first", "row_weights", "row_count", shape.samples, shape.rows);
  const ResizeTaps columns =
      taps(call, "column_first", "column_weights", "column_count", shape.samples, shape.columns);
  if (call.array("y").size && (shape.height < 1 || shape.width < 1)) call.refuse("x must have a pixel");
  launch_image_resize(call.array("x"), rows, columns, call.array("y"), shape, call.stream());
}

}  // namespace

void bind_image_resize(Operators& operators) {
  operators.push_back({"image_resize",
                       {{"x", Access::read, kChannelsLast},
                        {"row_first", Access::read},
                        {"row_weights", Access::read},
                        {"row_count", Access::read},
                        {"column_first", Access::read},
                        {"column_weights", Access::read},
                        {"column_count", Access::read},
                        {"y", Access::write, kChannelsLast}},
                       {},
                       image_resize});
}
