// Division by a number known at the launch: one high product and a shift instead of the long way of 64 bits, which also
// costs a kernel a dozen registers.
#pragma once

#include <cstdint>

#include "simt/simt.h"

// Granlund and Montgomery, "Division by invariant integers using multiplication" (PLDI 1994), figure 4.1, for
// numerators in [0, 2^63).
struct Divisor {
  std::uint64_t factor;
  int value, shift;

  explicit Divisor(int divisor) : value(divisor), shift(0) {  // divisor >= 1
    while ((std::uint64_t(1) << shift) < std::uint64_t(divisor)) shift++;
    // floor(2^64 (2^shift - divisor) / divisor) + 1, by long division in two digits of 32 bits
    const std::uint64_t d = std::uint64_t(divisor), rest = (std::uint64_t(1) << shift) - d;
    const std::uint64_t high = (rest << 32) / d, low = ((rest << 32) % d << 32) / d;
    factor = (high << 32) + low + 1;
  }

  __device__ __forceinline__ std::int64_t divide(std::int64_t n) const {
    return std::int64_t((__umul64hi(factor, std::uint64_t(n)) + std::uint64_t(n)) >> shift);
  }
};
