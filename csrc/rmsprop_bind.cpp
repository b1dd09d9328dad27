// Binding of RMSprop.
#include "bindings.h"
#include "rmsprop.h"

namespace {

// hyperparameters: lr, alpha, eps, weight_decay, momentum, centered, maximize, eps_inside_sqrt.
void fill_rmsprop(const double* h, double, double* numbers) {
  for (int i = 0; i < 8; i++) numbers[i] = h[i];
}

void rmsprop_step(const Call& call) {
  const SegmentTable table =
      segment_table(call, {"param", "square_avg", "grad_avg", "momentum_buffer"}, 8, fill_rmsprop);
  require_state(call, "grad_avg", 5);
  require_state(call, "momentum_buffer", 4);
  launch_rmsprop_step(table, call.array("grad"), call.array("param"), call.array("square_avg"), call.array("grad_avg"),
                      call.array("momentum_buffer"), call.stream());
}

}  // namespace

void bind_rmsprop(Operators& operators) {
  operators.push_back({"rmsprop_step",
                       {{"grad", Access::read},
                        {"segments", Access::table},
                        {"hyperparameters", Access::table},
                        {"param", Access::update},
                        {"square_avg", Access::update},
                        {"grad_avg", Access::update, kOptional},
                        {"momentum_buffer", Access::update, kOptional}},
                       {},
                       rmsprop_step});
}
