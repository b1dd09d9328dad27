// Groups of consecutive elements, moved 16 bytes at a time where memory allows it.
#pragma once

#include <cstdint>
#include <cstring>

#include "device/numbers.h"

template <class T>
constexpr int kVector = 16 / static_cast<int>(sizeof(T));

// values[j] = element first + j of `memory`, in the type to compute in. A group that is whole and aligned goes as
// vectors; of any other only the elements in [begin, end) are touched, and the rest is 0.
template <int N, class T>
__device__ __forceinline__ void load_group(accumulate_t<T> (&values)[N], const T* memory, std::int64_t first,
                                           std::int64_t begin, std::int64_t end, bool aligned) {
  static_assert(N % kVector<T> == 0, "a group is a whole number of vectors");
  if (aligned && first >= begin && first + N <= end) {
#pragma unroll
    for (int v = 0; v < N / kVector<T>; v++) {
      const uint4 raw = reinterpret_cast<const uint4*>(memory + first)[v];
      T parts[kVector<T>];
      memcpy(parts, &raw, sizeof raw);
#pragma unroll
      for (int j = 0; j < kVector<T>; j++) values[v * kVector<T> + j] = widen(parts[j]);
    }
    return;
  }
#pragma unroll
  for (int j = 0; j < N; j++) {
    const std::int64_t i = first + j;
    values[j] = i >= begin && i < end ? widen(memory[i]) : accumulate_t<T>(0);
  }
}

template <int N, class T>
__device__ __forceinline__ void store_group(T* memory, const accumulate_t<T> (&values)[N], std::int64_t first,
                                            std::int64_t begin, std::int64_t end, bool aligned) {
  static_assert(N % kVector<T> == 0, "a group is a whole number of vectors");
  if (aligned && first >= begin && first + N <= end) {
#pragma unroll
    for (int v = 0; v < N / kVector<T>; v++) {
      T parts[kVector<T>];
#pragma unroll
      for (int j = 0; j < kVector<T>; j++) parts[j] = narrow<T>(values[v * kVector<T> + j]);
      uint4 raw;
      memcpy(&raw, parts, sizeof raw);
      reinterpret_cast<uint4*>(memory + first)[v] = raw;
    }
    return;
  }
#pragma unroll
  for (int j = 0; j < N; j++) {
    const std::int64_t i = first + j;
    if (i >= begin && i < end) memory[i] = narrow<T>(values[j]);
  }
}
