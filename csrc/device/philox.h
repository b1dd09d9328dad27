// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC11). Word i of (seed, stream) is word
// i % 4 of cipher block i / 4, so any element's number can be made without those before it, the same on every executor.
#pragma once

#include "device/numbers.h"

struct PhiloxSequence {
  std::uint64_t seed, stream;

  __device__ __forceinline__ uint4 cipher(std::uint64_t index) const {
    unsigned c0 = unsigned(index), c1 = unsigned(index >> 32), c2 = unsigned(stream), c3 = unsigned(stream >> 32);
    unsigned k0 = unsigned(seed), k1 = unsigned(seed >> 32);
#pragma unroll
    for (int round = 0; round < 10; round++) {
      const std::uint64_t p0 = std::uint64_t(0xD2511F53u) * c0, p1 = std::uint64_t(0xCD9E8D57u) * c2;
      c0 = unsigned(p1 >> 32) ^ c1 ^ k0;
      c1 = unsigned(p1);
      c2 = unsigned(p0 >> 32) ^ c3 ^ k1;
      c3 = unsigned(p0);
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    return make_uint4(c0, c1, c2, c3);
  }
};

// Words 4 g .. 4 g + 3 of a cipher block as numbers: what `philox_uint32`, `philox_uniform` and `philox_normal` return.

__device__ __forceinline__ void uniform_from_words(uint4 words, float (&numbers)[4]) {
  const unsigned word[4] = {words.x, words.y, words.z, words.w};
#pragma unroll
  for (int j = 0; j < 4; j++) numbers[j] = float(word[j] >> 8) * 0x1p-24f;
}
__device__ __forceinline__ void uniform_from_words(uint4 words, double (&numbers)[4]) {
  const unsigned word[4] = {words.x, words.y, words.z, words.w};
#pragma unroll
  for (int j = 0; j < 4; j++) numbers[j] = double(word[j]) * 0x1p-32;
}

// Box and Muller 1958: words 2 j and 2 j + 1 make numbers 2 j and 2 j + 1, at most 5.77. Both uniforms are exact in
// float.
template <class A>
__device__ __forceinline__ void normal_from_words(uint4 words, A (&numbers)[4]) {
  const unsigned word[4] = {words.x, words.y, words.z, words.w};
#pragma unroll
  for (int j = 0; j < 4; j += 2) {
    const A u = A((word[j] >> 8) + 1) * A(0x1p-24), half_turns = A(word[j + 1] >> 8) * A(0x1p-23);
    const A radius = sqrt(A(-2) * log(u));
    A sine, cosine;
    sincospi(half_turns, &sine, &cosine);
    numbers[j] = radius * cosine;
    numbers[j + 1] = radius * sine;
  }
}
