// What the bindings of the normalisations ask for alike; an argument that is None is left out.
#pragma once

#include "channel_sums.h"
#include "operator.h"

inline void require_like_x(const Call& call, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (!call.given(name)) continue;
    call.require_same_dtype({"x", name});
    call.require_same_shape({"x", name});
  }
}

inline void require_parameters(const Call& call, std::initializer_list<const char*> names,
                               const std::vector<std::int64_t>& shape) {
  for (const char* name : names) {
    if (!call.given(name)) continue;
    call.require_same_dtype({"x", name});
    call.require_shape(name, shape, "one number a channel of x");
  }
}

// Means and their like: float32, or float64 for float64 x.
inline void require_statistics(const Call& call, std::initializer_list<const char*> names,
                               const std::vector<std::int64_t>& shape, const char* why) {
  for (const char* name : names) {
    if (!call.given(name)) continue;
    call.require_dtype(name, {call.array("x").dtype == DType::float64 ? DType::float64 : DType::float32});
    call.require_shape(name, shape, why);
  }
}

inline void* scratch_of(const Call& call, std::int64_t bytes) {
  return bytes ? call.scratch(static_cast<std::size_t>(bytes)) : nullptr;
}

inline void* numbers_scratch(const Call& call, std::int64_t count, DType dtype) {
  return scratch_of(call, count * accumulate_bytes(dtype));
}
