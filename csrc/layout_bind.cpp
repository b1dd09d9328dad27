// Binding of copies between and within memory orders.
#include "bindings.h"
#include "concat.h"
#include "layout.h"

namespace {

void require_images(const Call& call) {
  call.require_dtype("x", {DType::float16, DType::bfloat16, DType::float32, DType::float64, DType::uint8});
  if (call.array("x").shape.size() < 3) call.refuse("x must have 3 axes or more");
  call.require_same_dtype({"x", "y"});
  call.require_same_shape({"x", "y"});
}

void convert(const Call& call, bool to_channels_last) {
  require_images(call);
  const ArrayView &x = call.array("x"), &y = call.array("y");
  if (x.size == 0) return;
  const std::int64_t C = x.shape[1], positions = x.size / x.shape[0] / C;
  launch_transpose(x, y, to_channels_last ? C : positions, to_channels_last ? positions : C, call.stream());
}

void to_channels_last(const Call& call) { convert(call, true); }

void to_contiguous(const Call& call) { convert(call, false); }

void copy(const Call& call) {
  call.require_float("x");
  call.require_rank("x", 1);
  call.require_same_dtype({"x", "y"});
  call.require_same_shape({"x", "y"});
  ArrayView x = call.array("x"), y = call.array("y");
  x.shape = y.shape = {1, x.size};
  launch_concat_forward({x}, y, call.stream());
}

}  // namespace

void bind_layout(Operators& operators) {
  operators.push_back({"copy", {{"x", Access::read}, {"y", Access::write}}, {}, copy});
  operators.push_back(
      {"to_channels_last", {{"x", Access::read}, {"y", Access::write, kChannelsLast}}, {}, to_channels_last});
  operators.push_back(
      {"to_contiguous", {{"x", Access::read, kChannelsLast}, {"y", Access::write}}, {}, to_contiguous});
}
