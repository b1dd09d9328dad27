// Binding of dropout of channels.
#include "bindings.h"
#include "dropout2d.h"

namespace {

void dropout2d(const Call& call) {
  call.require_float("x");
  call.require_rank("x", 3);
  call.require_same_dtype({"x", "y"});
  call.require_same_shape({"x", "y"});
  launch_dropout2d(call.array("x"), call.array("y"), call.real("p"), call.counter("seed"), call.counter("stream"),
                   call.stream());
}

}  // namespace

void bind_dropout2d(Operators& operators) {
  operators.push_back({"dropout2d",
                       {{"x", Access::read}, {"y", Access::write}},
                       {{"p", NumberKind::real}, {"seed", NumberKind::counter}, {"stream", NumberKind::counter}},
                       dropout2d});
}
