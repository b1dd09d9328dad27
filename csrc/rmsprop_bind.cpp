// Binding of RMSprop.
#include "bindings.h"
#include "rmsprop.h"

namespace {

void rmsprop_step(const Call& call) {
  const SegmentTable table = segment_table(call, {"square_avg", "grad_avg", "momentum_buffer"}, 8);
  launch_rmsprop_step(table, call.array("grad"), call.array("param"), call.array("square_avg"), call.array("grad_avg"),
                      call.array("momentum_buffer"), call.stream());
}

}  // namespace

void bind_rmsprop(Operators& operators) {
  operators.push_back({"rmsprop_step",
                       {{"grad", Access::read},
                        {"segments", Access::read},
                        {"hyperparameters", Access::read},
                        {"steps", Access::update},
                        {"ticket", Access::update},
                        {"param", Access::update},
                        {"square_avg", Access::update},
                        {"grad_avg", Access::update, kOptional},
                        {"momentum_buffer", Access::update, kOptional}},
                       {},
                       rmsprop_step});
}
