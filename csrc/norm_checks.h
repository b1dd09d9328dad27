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

inline void* moments_scratch(const Call& call, const ChannelTiles& tiles) {
  return call.scratch(static_cast<std::size_t>(moments_bytes(tiles, call.array("x").dtype)));
}

// For `count` numbers to compute in.
inline void* numbers_scratch(const Call& call, std::int64_t count) {
  return call.scratch(static_cast<std::size_t>(count * accumulate_bytes(call.array("x").dtype)));
}

// The arrays of group and layer normalisation.
inline std::vector<ArrayArgument> forward_arrays() {
  return {{"x", Access::read},
          {"weight", Access::read, kOptional},
          {"bias", Access::read, kOptional},
          {"y", Access::write},
          {"mean", Access::write},
          {"rstd", Access::write}};
}

// The arrays of every backward; the statistics are called `mean` and `deviation`.
inline std::vector<ArrayArgument> backward_arrays(const char* mean, const char* deviation) {
  return {{"dy", Access::read},
          {"x", Access::read},
          {mean, Access::read},
          {deviation, Access::read},
          {"weight", Access::read, kOptional},
          {"dx", Access::write, kOptional},
          {"dweight", Access::write, kOptional},
          {"dbias", Access::write, kOptional}};
}
