// The factor of a dropout: 0 where a word is below the threshold, else 1 / (1 - p).
#pragma once

#include <cmath>

#include "device/philox.h"

struct DropoutFactor {
  unsigned threshold;  // p * 2^32
  bool all;            // p is 1: no threshold of 32 bits drops every word
  double scale;

  explicit DropoutFactor(double p)
      : threshold(unsigned(std::fmax(0, std::fmin(std::nearbyint(p * 0x1p32), 0x1p32 - 1)))),
        all(p == 1),
        scale(all ? 0 : 1 / (1 - p)) {}

  template <class A>
  __device__ __forceinline__ A of_word(unsigned word) const {
    return all || word < threshold ? A(0) : A(scale);
  }
};
