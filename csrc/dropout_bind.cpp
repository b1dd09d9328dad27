// Binding of dropout.
#include "bindings.h"
#include "dropout.h"

namespace {

void dropout(const Call& call) {
  call.require_float("x");
  call.require_rank("x", 1);
  call.require_same_dtype({"x", "y"});
  call.require_same_shape({"x", "y"});
  launch_dropout(call.array("x"), call.array("y"), call.real("p"), call.counter("seed"), call.counter("stream"),
                 call.stream());
}

}  // namespace

void bind_dropout(Operators& operators) {
  operators.push_back({"dropout",
                       {{"x", Access::read}, {"y", Access::write}},
                       {{"p", NumberKind::real}, {"seed", NumberKind::counter}, {"stream", NumberKind::counter}},
                       dropout});
}
