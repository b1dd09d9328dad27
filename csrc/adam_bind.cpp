// Binding of Adam and AdamW.
#include "adam.h"
#include "bindings.h"

namespace {

void adam_step(const Call& call) {
  const SegmentTable table = segment_table(call, {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"}, 8);
  launch_adam_step(table, call.array("grad"), call.array("param"), call.array("exp_avg"), call.array("exp_avg_sq"),
                   call.array("max_exp_avg_sq"), call.stream());
}

}  // namespace

void bind_adam(Operators& operators) {
  operators.push_back({"adam_step",
                       {{"grad", Access::read},
                        {"segments", Access::read},
                        {"hyperparameters", Access::read},
                        {"steps", Access::update},
                        {"ticket", Access::update},
                        {"param", Access::update},
                        {"exp_avg", Access::update},
                        {"exp_avg_sq", Access::update},
                        {"max_exp_avg_sq", Access::update, kOptional}},
                       {},
                       adam_step});
}
