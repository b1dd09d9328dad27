// Class indices on a device, where nobody can refuse a wrong one.
#pragma once

#include <cstdint>

#include "device/numbers.h"

struct TargetRule {
  std::int64_t classes;
  bool ignores;
  std::int64_t ignore_index;

  __device__ __forceinline__ bool ignored(std::int64_t target) const { return ignores && target == ignore_index; }
  // Whether it is a class; an ignored one may be.
  __device__ __forceinline__ bool valid(std::int64_t target) const { return target >= 0 && target < classes; }
  __device__ __forceinline__ bool counts(std::int64_t target) const { return !ignored(target) && valid(target); }
};

// What a row weighs: 0 where it is ignored, NaN where its target is no class.
template <class T>
__device__ __forceinline__ accumulate_t<T> counted_weight(const TargetRule& rule, std::int64_t target,
                                                          const T* weight) {
  using A = accumulate_t<T>;
  if (rule.ignored(target)) return A(0);
  if (!rule.valid(target)) return A(NAN);
  return weight ? widen(weight[target]) : A(1);
}
