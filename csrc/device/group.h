// A group of 16 bytes as it lies in memory. Unlike `load_group`'s numbers it takes four registers for every type, and
// several can be on their way at once, because nothing waits for one before it is unpacked.
#pragma once

#include "device/vector.h"

template <class T>
struct Group {
  uint4 bits;

  // As load_group: of a group that is not whole or not aligned only the elements in [begin, end), the rest is 0.
  __device__ __forceinline__ void load(const T* memory, std::int64_t first, std::int64_t begin, std::int64_t end,
                                       bool aligned) {
    constexpr int N = kVector<T>;
    if (aligned && first >= begin && first + N <= end) {
      bits = *reinterpret_cast<const uint4*>(memory + first);
      return;
    }
    T parts[N];
#pragma unroll
    for (int j = 0; j < N; j++) {
      const std::int64_t i = first + j;
      parts[j] = i >= begin && i < end ? memory[i] : narrow<T>(accumulate_t<T>(0));
    }
    memcpy(&bits, parts, sizeof bits);
  }

  // As store_group.
  __device__ __forceinline__ void store(T* memory, std::int64_t first, std::int64_t begin, std::int64_t end,
                                        bool aligned) const {
    constexpr int N = kVector<T>;
    if (aligned && first >= begin && first + N <= end) {
      *reinterpret_cast<uint4*>(memory + first) = bits;
      return;
    }
    T parts[N];
    memcpy(parts, &bits, sizeof bits);
#pragma unroll
    for (int j = 0; j < N; j++) {
      const std::int64_t i = first + j;
      if (i >= begin && i < end) memory[i] = parts[j];
    }
  }

  __device__ __forceinline__ void unpack(accumulate_t<T> (&values)[kVector<T>]) const {
    T parts[kVector<T>];
    memcpy(parts, &bits, sizeof bits);
#pragma unroll
    for (int j = 0; j < kVector<T>; j++) values[j] = widen(parts[j]);
  }
};
