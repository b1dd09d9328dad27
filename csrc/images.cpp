// The shape of a call of an image transform, checked.
#include "images.h"

namespace {

int extent(const Call& call, const char* name, std::int64_t value) {
  constexpr std::int64_t kLargest = 1 << 30;
  if (value > kLargest) {
    call.refuse(std::string(name) + " must have extents of at most " + std::to_string(kLargest) + ", got " +
                std::to_string(value));
  }
  return int(value);
}

}  // namespace

ImageShape image_shape(const Call& call) {
  require_pixels(call, "x");
  call.require_same_dtype({"x", "y"});
  return image_extents(call);
}

ImageShape image_extents(const Call& call) {
  call.require_rank("x", 4);
  call.require_rank("y", 4);
  const std::vector<std::int64_t>& in = call.array("x").shape;
  const std::vector<std::int64_t>& out = call.array("y").shape;
  call.require_shape("y", {in[0], in[1], out[2], out[3]}, "N and C of x");
  return {in[0],
          extent(call, "x", in[1]),
          extent(call, "x", in[2]),
          extent(call, "x", in[3]),
          extent(call, "y", out[2]),
          extent(call, "y", out[3])};
}

ImageShape same_size_shape(const Call& call) {
  call.require_same_shape({"x", "y"});
  return image_shape(call);
}

void require_table(const Call& call, const char* name, DType dtype, const std::vector<std::int64_t>& shape) {
  call.require_dtype(name, {dtype});
  call.require_shape(name, shape, "for x and y");
}

void require_pixels(const Call& call, const char* name) {
  call.require_dtype(name, {DType::uint8, DType::float16, DType::bfloat16, DType::float32, DType::float64});
}

DType wide_dtype(DType dtype) { return dtype == DType::float64 ? DType::float64 : DType::float32; }
