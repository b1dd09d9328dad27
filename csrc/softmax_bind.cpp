// Bindings of softmax and its logarithm.
#include "bindings.h"
#include "softmax.h"

namespace {

Operator forward(const char* name, void (*run)(const Call&)) {
  return {name, {{"x", Access::read}, {"y", Access::write}}, {}, run};
}

Operator backward(const char* name, void (*run)(const Call&)) {
  return {name, {{"dy", Access::read}, {"y", Access::read}, {"dx", Access::write}}, {}, run};
}

void check(const Call& call, std::initializer_list<const char*> arrays) {
  const char* first = *arrays.begin();
  call.require_float(first);
  call.require_rank(first, 2);
  call.require_same_dtype(arrays);
  call.require_same_shape(arrays);
}

}  // namespace

void bind_softmax(Operators& operators) {
  operators.push_back(forward("softmax_forward", [](const Call& call) {
    check(call, {"x", "y"});
    launch_softmax_forward(call.array("x"), call.array("y"), call.stream());
  }));
  operators.push_back(backward("softmax_backward", [](const Call& call) {
    check(call, {"dy", "y", "dx"});
    launch_softmax_backward(call.array("dy"), call.array("y"), call.array("dx"), call.stream());
  }));
  operators.push_back(forward("log_softmax_forward", [](const Call& call) {
    check(call, {"x", "y"});
    launch_log_softmax_forward(call.array("x"), call.array("y"), call.stream());
  }));
  operators.push_back(backward("log_softmax_backward", [](const Call& call) {
    check(call, {"dy", "y", "dx"});
    launch_log_softmax_backward(call.array("dy"), call.array("y"), call.array("dx"), call.stream());
  }));
}
