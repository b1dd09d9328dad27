// Pixels of images as numbers to compute with: uint8 or floating, in float, or double for double.
#pragma once

#include <type_traits>

#include "device/numbers.h"
#include "dispatch.h"

template <class T>
constexpr bool kWholePixels = std::is_same<T, unsigned char>::value;

template <class T>
__device__ __forceinline__ accumulate_t<T> pixel_value(T pixel) {
  if constexpr (kWholePixels<T>) {
    return float(pixel);
  } else {
    return widen(pixel);
  }
}

// To the nearest of 0 to 255, halves to even; NaN is 0.
__device__ __forceinline__ float whole_pixel(float value) {
  const float whole = rint(value);
  return whole > 0 ? min(whole, 255.0f) : 0;
}

template <class T>
__device__ __forceinline__ T pixel_from(accumulate_t<T> value) {
  if constexpr (kWholePixels<T>) {
    return T(whole_pixel(value));
  } else {
    return narrow<T>(value);
  }
}

// dispatch_float, and uint8 as unsigned char.
template <class Function>
void dispatch_pixels(DType dtype, Function&& function) {
  if (dtype == DType::uint8) return function(TypeTag<unsigned char>{});
  dispatch_float(dtype, function);
}
