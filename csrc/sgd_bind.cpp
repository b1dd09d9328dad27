// Binding of stochastic gradient descent.
#include "bindings.h"
#include "sgd.h"

namespace {

// hyperparameters: lr, momentum, dampening, weight_decay, nesterov, maximize.
void fill_sgd(const double* h, double step, double* numbers) {
  numbers[0] = h[0];
  numbers[1] = h[1];
  numbers[2] = 1 - h[2];
  numbers[3] = h[3];
  numbers[4] = h[4];
  numbers[5] = h[5] != 0 ? -1 : 1;
  numbers[6] = step == 1;
}

void sgd_step(const Call& call) {
  const SegmentTable table = segment_table(call, {"param", "momentum_buffer"}, 6, fill_sgd);
  require_state(call, "momentum_buffer", 1);
  launch_sgd_step(table, call.array("grad"), call.array("param"), call.array("momentum_buffer"), call.stream());
}

}  // namespace

void bind_sgd(Operators& operators) {
  operators.push_back({"sgd_step",
                       {{"grad", Access::read},
                        {"segments", Access::table},
                        {"hyperparameters", Access::table},
                        {"param", Access::update},
                        {"momentum_buffer", Access::update, kOptional}},
                       {},
                       sgd_step});
}
