// Binding of Adam and AdamW.
#include <cmath>

#include "adam.h"
#include "bindings.h"

namespace {

// hyperparameters: lr, beta1, beta2, eps, weight_decay, amsgrad, maximize, decoupled_weight_decay.
// lr / c1 * m / (sqrt(v) / sqrt(c2) + eps): the division by sqrt(c2) is taken into the two scalars.
void fill_adam(const double* h, double step, double* numbers) {
  const double root = std::sqrt(1 - std::pow(h[2], step));
  const bool decoupled = h[7] != 0;
  numbers[0] = h[0] / (1 - std::pow(h[1], step)) * root;
  numbers[1] = h[3] * root;
  numbers[2] = 1 - h[1];
  numbers[3] = h[2];
  numbers[4] = 1 - h[2];
  numbers[5] = decoupled ? 0 : h[4];
  numbers[6] = decoupled ? 1 - h[0] * h[4] : 1;
  numbers[7] = h[5];
  numbers[8] = h[6] != 0 ? -1 : 1;
}

void adam_step(const Call& call) {
  const SegmentTable table = segment_table(call, {"param", "exp_avg", "exp_avg_sq", "max_exp_avg_sq"}, 8, fill_adam);
  require_state(call, "max_exp_avg_sq", 5);
  launch_adam_step(table, call.array("grad"), call.array("param"), call.array("exp_avg"), call.array("exp_avg_sq"),
                   call.array("max_exp_avg_sq"), call.stream());
}

}  // namespace

void bind_adam(Operators& operators) {
  operators.push_back({"adam_step",
                       {{"grad", Access::read},
                        {"segments", Access::table},
                        {"hyperparameters", Access::table},
                        {"param", Access::update},
                        {"exp_avg", Access::update},
                        {"exp_avg_sq", Access::update},
                        {"max_exp_avg_sq", Access::update, kOptional}},
                       {},
                       adam_step});
}
