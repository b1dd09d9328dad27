// Count, mean and sum of squared deviations of some numbers, and those of two sets together (Chan, Golub and LeVeque
// 1979, "Updating formulae and a pairwise algorithm for computing sample variances"): nothing cancels where the mean is
// far from 0.
#pragma once

#include "device/numbers.h"

template <class A>
struct Moments {
  A count, mean, squares;
};

// From sums of value - shift and of its square over `count` values, of which shift was one (or 0): then the squares
// lose at most a factor of count + 1 in precision.
template <class A>
__device__ __forceinline__ Moments<A> moments_about(A shift, A count, A sum, A square) {
  if (count == A(0)) return {A(0), A(0), A(0)};
  const A average = sum / count, squares = square - sum * average;
  return {count, shift + average, squares < A(0) ? A(0) : squares};  // NaN stays
}

// A value that deviations can be taken from: an infinite one would make them all NaN.
template <class A>
__device__ __forceinline__ A finite_shift(A value) {
  return isfinite(value) ? value : A(0);
}

struct MergeMoments {
  template <class A>
  __device__ __forceinline__ Moments<A> operator()(const Moments<A>& a, const Moments<A>& b) const {
    if (a.count == A(0)) return b;
    if (b.count == A(0)) return a;
    const A count = a.count + b.count, share = b.count / count, delta = b.mean - a.mean;
    // An infinite mean stays infinite, as that of all values would be.
    const A mean = isfinite(delta) ? a.mean + delta * share : a.mean + b.mean;
    return {count, mean, a.squares + b.squares + delta * delta * a.count * share};
  }
};
