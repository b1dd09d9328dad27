// Binding of stochastic gradient descent.
#include "bindings.h"
#include "sgd.h"

namespace {

void sgd_step(const Call& call) {
  const SegmentTable table = segment_table(call, {"momentum_buffer"}, 6);
  launch_sgd_step(table, call.array("grad"), call.array("param"), call.array("momentum_buffer"), call.stream());
}

}  // namespace

void bind_sgd(Operators& operators) {
  operators.push_back({"sgd_step",
                       {{"grad", Access::read},
                        {"segments", Access::read},
                        {"hyperparameters", Access::read},
                        {"steps", Access::update},
                        {"ticket", Access::update},
                        {"param", Access::update},
                        {"momentum_buffer", Access::update, kOptional}},
                       {},
                       sgd_step});
}
