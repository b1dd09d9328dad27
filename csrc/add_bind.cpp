// Binding of the sum of two arrays.
#include "add.h"
#include "bindings.h"

namespace {

void add_forward(const Call& call) {
  call.require_float("a");
  call.require_rank("a", 1);
  call.require_same_dtype({"a", "b", "y"});
  call.require_same_shape({"a", "b", "y"});
  launch_add_forward(call.array("a"), call.array("b"), call.array("y"), call.stream());
}

}  // namespace

void bind_add(Operators& operators) {
  operators.push_back(
      {"add_forward", {{"a", Access::read}, {"b", Access::read}, {"y", Access::write}}, {}, add_forward});
}
