// The largest elements of a window, and where they are.
#pragma once

#include "device/numbers.h"

// Of elements taken in order the first that is largest, or the last NaN where there is one, as in PyTorch.
template <class A, int N, class Code>
struct Largest {
  A values[N];
  Code codes[N];

  // `code` : where nothing is taken, or nothing but -inf.
  __device__ __forceinline__ explicit Largest(Code code) {
#pragma unroll
    for (int j = 0; j < N; j++) {
      values[j] = -A(INFINITY);
      codes[j] = code;
    }
  }

  __device__ __forceinline__ void take(const A (&elements)[N], Code code) {
#pragma unroll
    for (int j = 0; j < N; j++) {
      const bool larger = elements[j] > values[j] || elements[j] != elements[j];
      values[j] = larger ? elements[j] : values[j];
      codes[j] = larger ? code : codes[j];
    }
  }
};
