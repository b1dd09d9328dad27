// Normalised pixels, and their cast to the dtype of the result.
#pragma once

#include <type_traits>

#include "device/numbers.h"
#include "device/rounded.h"

// As NumPy casts: float64 to float16 rounded once, and to bfloat16 by way of float32.
template <class Y, class A>
__device__ __forceinline__ Y cast_from(A value) {
  if constexpr (std::is_same<A, accumulate_t<Y>>::value) {
    return narrow<Y>(value);
  } else if constexpr (std::is_same<Y, __half>::value) {
    // Rounded to odd, a float keeps what decides between two numbers of half as many bits.
    const float toward_zero = __double2float_rz(value);
    return narrow<__half>(double(toward_zero) == value ? toward_zero
                                                       : __uint_as_float(__float_as_uint(toward_zero) | 1));
  } else {
    return narrow<Y>(float(value));
  }
}

template <class A>
__device__ __forceinline__ A normalized(A value, A mean, A factor) {
  return product(difference(value, mean), factor);
}
