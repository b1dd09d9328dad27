// Binding of Gaussian noise.
#include "bindings.h"
#include "gaussian_noise.h"

namespace {

void gaussian_noise(const Call& call) {
  call.require_float("x");
  call.require_rank("x", 1);
  call.require_same_dtype({"x", "y"});
  call.require_same_shape({"x", "y"});
  launch_gaussian_noise(call.array("x"), call.array("y"), call.real("std"), call.counter("seed"),
                        call.counter("stream"), call.stream());
}

}  // namespace

void bind_gaussian_noise(Operators& operators) {
  operators.push_back({"gaussian_noise",
                       {{"x", Access::read}, {"y", Access::write}},
                       {{"std", NumberKind::real}, {"seed", NumberKind::counter}, {"stream", NumberKind::counter}},
                       gaussian_noise});
}
