// Binding of concatenation.
#include "bindings.h"
#include "concat.h"

namespace {

void require_pieces(const Call& call, const char* wide, const char* pieces) {
  call.require_float(wide);
  call.require_rank(wide, 2);
  const ArrayView& whole = call.array(wide);
  std::int64_t left = whole.shape[1];
  for (const ArrayView& piece : call.arrays(pieces)) {
    if (piece.dtype != whole.dtype) {
      call.refuse_type(std::string(pieces) + " must all be " + dtype_name(whole.dtype) + ", got " +
                       dtype_name(piece.dtype));
    }
    if (piece.shape.size() != 2 || piece.shape[0] != whole.shape[0] || piece.shape[1] > left) {
      call.refuse(std::string(pieces) + " must be (M, K) arrays that fill " + wide);
    }
    left -= piece.shape[1];
  }
  if (left) call.refuse(std::string(pieces) + " leave " + std::to_string(left) + " columns of " + wide);
}

void concat_forward(const Call& call) {
  require_pieces(call, "y", "arrays");
  launch_concat_forward(call.arrays("arrays"), call.array("y"), call.stream());
}

void concat_backward(const Call& call) {
  require_pieces(call, "dy", "gradients");
  launch_concat_backward(call.array("dy"), call.arrays("gradients"), call.stream());
}

}  // namespace

void bind_concat(Operators& operators) {
  operators.push_back(
      {"concat_forward", {{"arrays", Access::read, kList}, {"y", Access::write}}, {}, concat_forward});
  operators.push_back(
      {"concat_backward", {{"dy", Access::read}, {"gradients", Access::write, kList}}, {}, concat_backward});
}
