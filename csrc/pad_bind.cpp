// Binding of the padding of images.
#include <algorithm>

#include "bindings.h"
#include "pad.h"

namespace {

// `inner` is x or dx, `outer` y or dy.
Pad2dShape pad2d_shape(const Call& call, const char* inner, const char* outer) {
  call.require_float(inner);
  call.require_rank(inner, 4);
  call.require_rank(outer, 4);
  call.require_same_dtype({inner, outer});
  const std::vector<std::int64_t>&x = call.array(inner).shape, &y = call.array(outer).shape;
  const std::vector<std::int64_t> sides = call.integers("padding", 0, 0x7fffffff);  // left, right, top, bottom
  const auto mode = static_cast<PadMode>(call.choice("mode", {"zeros", "reflect", "replicate", "circular"}));
  if (y[0] != x[0] || y[1] != x[1] || y[2] - x[2] != sides[2] + sides[3] || y[3] - x[3] != sides[0] + sides[1]) {
    call.refuse(std::string(outer) + " must be " + inner + " with `padding` (left, right, top, bottom) around it");
  }
  for (int axis : {2, 3}) {
    const std::int64_t most = std::max(sides[axis == 2 ? 2 : 0], sides[axis == 2 ? 3 : 1]), extent = x[axis];
    if (mode == PadMode::zeros || most == 0) continue;
    if (extent == 0 || (mode == PadMode::reflect && most >= extent) || (mode == PadMode::circular && most > extent)) {
      call.refuse("the mode cannot fill a padding of " + std::to_string(most) + " from an extent of " +
                  std::to_string(extent));
    }
  }
  return {x[0], x[1], x[2], x[3], y[2], y[3], sides[0], sides[2], mode};
}

void pad2d_forward(const Call& call) {
  const Pad2dShape shape = pad2d_shape(call, "x", "y");
  launch_pad2d_forward(call.array("x"), call.array("y"), shape, call.stream());
}

void pad2d_backward(const Call& call) {
  const Pad2dShape shape = pad2d_shape(call, "dx", "dy");
  launch_pad2d_backward(call.array("dy"), call.array("dx"), shape, call.stream());
}

}  // namespace

void bind_pad(Operators& operators) {
  const std::vector<NumberArgument> numbers = {{"padding", NumberKind::integer, 4}, {"mode", NumberKind::word}};
  operators.push_back({"pad2d_forward",
                       {{"x", Access::read, kChannelsLast}, {"y", Access::write, kChannelsLast}},
                       numbers,
                       pad2d_forward});
  operators.push_back({"pad2d_backward",
                       {{"dy", Access::read, kChannelsLast}, {"dx", Access::write, kChannelsLast}},
                       numbers,
                       pad2d_backward});
}
