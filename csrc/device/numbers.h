// Element types of arrays and the type that a kernel computes in: float, or double for double.
#pragma once

#include "simt/simt.h"

template <class T>
struct Accumulate {
  using type = float;
};
template <>
struct Accumulate<double> {
  using type = double;
};
template <class T>
using accumulate_t = typename Accumulate<T>::type;

__device__ __forceinline__ float widen(__half value) { return __half2float(value); }
__device__ __forceinline__ float widen(__nv_bfloat16 value) { return __bfloat162float(value); }
__device__ __forceinline__ float widen(float value) { return value; }
__device__ __forceinline__ double widen(double value) { return value; }

// Rounded to the nearest, ties to even; beyond the largest number it is inf.
template <class T>
__device__ __forceinline__ T narrow(accumulate_t<T> value) {
  return value;
}
template <>
__device__ __forceinline__ __half narrow<__half>(float value) {
  return __float2half(value);
}
template <>
__device__ __forceinline__ __nv_bfloat16 narrow<__nv_bfloat16>(float value) {
  return __float2bfloat16(value);
}

// Of two numbers, NaN where one is: NumPy's maximum and PyTorch's.
template <class A>
__device__ __forceinline__ A nan_max(A a, A b) {
  return a > b || a != a ? a : b;
}

// `value` in [low, high]; NaN stays NaN.
template <class A>
__device__ __forceinline__ A clamp(A value, A low, A high) {
  return value < low ? low : value > high ? high : value;
}

// average moved towards value by weight, from the end that is nearer, so that weight 1 gives `value` itself.
template <class A>
__device__ __forceinline__ A lerp(A average, A value, A weight) {
  return weight < A(0.5) ? average + weight * (value - average) : value - (A(1) - weight) * (value - average);
}
