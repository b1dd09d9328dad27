// Bindings of the activations, which differ in their numbers only: x -> y, and (dy, what forward saved) -> dx, flat.
#include "bindings.h"
#include "elu.h"
#include "gelu.h"
#include "hardswish.h"
#include "leaky_relu.h"
#include "relu.h"
#include "relu6.h"
#include "sigmoid.h"
#include "silu.h"
#include "softplus.h"
#include "tanh.h"

namespace {

Operator forward(const char* name, std::vector<NumberArgument> numbers, void (*run)(const Call&)) {
  return {name, {{"x", Access::read}, {"y", Access::write}}, std::move(numbers), run};
}

Operator backward(const char* name, const char* saved, std::vector<NumberArgument> numbers, void (*run)(const Call&)) {
  return {name, {{"dy", Access::read}, {saved, Access::read}, {"dx", Access::write}}, std::move(numbers), run};
}

void check_forward(const Call& call) {
  call.require_float("x");
  call.require_rank("x", 1);
  call.require_same_dtype({"x", "y"});
  call.require_same_shape({"x", "y"});
}

void check_backward(const Call& call, const char* saved) {
  call.require_float("dy");
  call.require_rank("dy", 1);
  call.require_same_dtype({"dy", saved, "dx"});
  call.require_same_shape({"dy", saved, "dx"});
}

}  // namespace

void bind_activations(Operators& operators) {
  operators.push_back(forward("relu_forward", {}, [](const Call& call) {
    check_forward(call);
    launch_relu_forward(call.array("x"), call.array("y"), call.stream());
  }));
  operators.push_back(backward("relu_backward", "y", {}, [](const Call& call) {
    check_backward(call, "y");
    launch_relu_backward(call.array("dy"), call.array("y"), call.array("dx"), call.stream());
  }));
  operators.push_back(forward("relu6_forward", {}, [](const Call& call) {
    check_forward(call);
    launch_relu6_forward(call.array("x"), call.array("y"), call.stream());
  }));
  operators.push_back(backward("relu6_backward", "y", {}, [](const Call& call) {
    check_backward(call, "y");
    launch_relu6_backward(call.array("dy"), call.array("y"), call.array("dx"), call.stream());
  }));
  operators.push_back(forward("leaky_relu_forward", {{"negative_slope", NumberKind::real}}, [](const Call& call) {
    check_forward(call);
    launch_leaky_relu_forward(call.array("x"), call.array("y"), call.real("negative_slope"), call.stream());
  }));
  operators.push_back(
      backward("leaky_relu_backward", "x", {{"negative_slope", NumberKind::real}}, [](const Call& call) {
        check_backward(call, "x");
        launch_leaky_relu_backward(call.array("dy"), call.array("x"), call.array("dx"), call.real("negative_slope"),
                                   call.stream());
      }));
  operators.push_back(forward("elu_forward", {{"alpha", NumberKind::real}}, [](const Call& call) {
    check_forward(call);
    launch_elu_forward(call.array("x"), call.array("y"), call.real("alpha"), call.stream());
  }));
  operators.push_back(backward("elu_backward", "y", {{"alpha", NumberKind::real}}, [](const Call& call) {
    check_backward(call, "y");
    launch_elu_backward(call.array("dy"), call.array("y"), call.array("dx"), call.real("alpha"), call.stream());
  }));
  operators.push_back(forward("silu_forward", {}, [](const Call& call) {
    check_forward(call);
    launch_silu_forward(call.array("x"), call.array("y"), call.stream());
  }));
  operators.push_back(backward("silu_backward", "x", {}, [](const Call& call) {
    check_backward(call, "x");
    launch_silu_backward(call.array("dy"), call.array("x"), call.array("dx"), call.stream());
  }));
  operators.push_back(forward("hardswish_forward", {}, [](const Call& call) {
    check_forward(call);
    launch_hardswish_forward(call.array("x"), call.array("y"), call.stream());
  }));
  operators.push_back(backward("hardswish_backward", "x", {}, [](const Call& call) {
    check_backward(call, "x");
    launch_hardswish_backward(call.array("dy"), call.array("x"), call.array("dx"), call.stream());
  }));
  operators.push_back(forward("sigmoid_forward", {}, [](const Call& call) {
    check_forward(call);
    launch_sigmoid_forward(call.array("x"), call.array("y"), call.stream());
  }));
  operators.push_back(backward("sigmoid_backward", "y", {}, [](const Call& call) {
    check_backward(call, "y");
    launch_sigmoid_backward(call.array("dy"), call.array("y"), call.array("dx"), call.stream());
  }));
  operators.push_back(forward("tanh_forward", {}, [](const Call& call) {
    check_forward(call);
    launch_tanh_forward(call.array("x"), call.array("y"), call.stream());
  }));
  operators.push_back(backward("tanh_backward", "y", {}, [](const Call& call) {
    check_backward(call, "y");
    launch_tanh_backward(call.array("dy"), call.array("y"), call.array("dx"), call.stream());
  }));
  operators.push_back(
      forward("softplus_forward", {{"beta", NumberKind::real}, {"threshold", NumberKind::real}}, [](const Call& call) {
        check_forward(call);
        launch_softplus_forward(call.array("x"), call.array("y"), call.real("beta"), call.real("threshold"),
                                call.stream());
      }));
  operators.push_back(backward("softplus_backward", "x", {{"beta", NumberKind::real}, {"threshold", NumberKind::real}},
                               [](const Call& call) {
                                 check_backward(call, "x");
                                 launch_softplus_backward(call.array("dy"), call.array("x"), call.array("dx"),
                                                          call.real("beta"), call.real("threshold"), call.stream());
                               }));
  operators.push_back(forward("gelu_forward", {{"tanh", NumberKind::counter}}, [](const Call& call) {
    check_forward(call);
    launch_gelu_forward(call.array("x"), call.array("y"), call.counter("tanh") != 0, call.stream());
  }));
  operators.push_back(backward("gelu_backward", "x", {{"tanh", NumberKind::counter}}, [](const Call& call) {
    check_backward(call, "x");
    launch_gelu_backward(call.array("dy"), call.array("x"), call.array("dx"), call.counter("tanh") != 0, call.stream());
  }));
}
