// CUDA's words for g++: qualifiers, built-in variables, barriers, warp functions, integer atomics, cp.async,
// intrinsics. A kernel written for nvcc compiles against this header unchanged, but for shared memory, which needs a
// macro.
#pragma once

#include <math.h>  // puts float overloads beside the double ones at global scope, as CUDA does

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "executor.h"

#define __global__
#define __device__
#define __host__
#define __constant__ static const
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __grid_constant__

using cudaStream_t = simt::Stream;
using std::fma;
using std::max;
using std::min;

// `float tile[32][33]` per block: SHARED_MEMORY(tile, float[32][33]). A macro, because a block's memory must be laid
// out anew for each block, with red zones in the checked builds.
#define SHARED_MEMORY(name, ...)                                                                          \
  simt::identity_t<__VA_ARGS__>& name = *[]() -> simt::identity_t<__VA_ARGS__>* {                         \
    static simt::SharedVariable variable;                                                                 \
    return static_cast<simt::identity_t<__VA_ARGS__>*>(simt::shared_variable(                             \
        variable, sizeof(simt::identity_t<__VA_ARGS__>), alignof(simt::identity_t<__VA_ARGS__>), #name)); \
  }()
#define DYNAMIC_SHARED_MEMORY(name, ...) __VA_ARGS__* name = static_cast<__VA_ARGS__*>(simt::dynamic_shared_memory())

#define threadIdx (simt::thread_index)
#define blockIdx (simt::block_index)
#define blockDim (simt::block_extent)
#define gridDim (simt::grid_extent)
constexpr int warpSize = 32;

namespace simt {

template <class T>
struct Identity {
  using type = T;
};
template <class T>
using identity_t = typename Identity<T>::type;

// ---- how the warp functions combine their lanes

template <class T>
struct Shuffle {
  T value, result;
  int source;
  bool source_missing;
};

template <class T>
void combine_shuffle(void* const* arguments, unsigned mask) {
  for (int i = 0; i < 32; i++) {
    if (!(mask >> i & 1)) continue;
    auto* mine = static_cast<Shuffle<T>*>(arguments[i]);
    mine->source_missing = !(mask >> mine->source & 1);
    if (mine->source_missing) {
      std::memset(static_cast<void*>(&mine->result), 0xab, sizeof(T));  // undefined on the GPU: show it
    } else {
      mine->result = static_cast<Shuffle<T>*>(arguments[mine->source])->value;
    }
  }
}

template <class T>
T shuffle(unsigned mask, T value, int source, const char* what, Place place) {
  Shuffle<T> exchange{value, value, source, false};
  warp_collective(mask, what, &exchange, combine_shuffle<T>, false, place);
  if (exchange.source_missing) {
    report("shuffle from an absent lane", place, "%s: lane %u reads lane %d, which does not take part", what, lane,
           source);
  }
  return exchange.result;
}

struct Reduction {
  unsigned value, result;
};

template <class Fold>
void combine_reduction(void* const* arguments, unsigned mask) {
  unsigned total = Fold::start;
  for (int i = 0; i < 32; i++) {
    if (mask >> i & 1) total = Fold::add(total, static_cast<Reduction*>(arguments[i])->value, i);
  }
  for (int i = 0; i < 32; i++) {
    if (mask >> i & 1) static_cast<Reduction*>(arguments[i])->result = total;
  }
}

template <class Fold>
unsigned reduce(unsigned mask, unsigned value, const char* what, Place place) {
  Reduction reduction{value, 0};
  warp_collective(mask, what, &reduction, combine_reduction<Fold>, false, place);
  return reduction.result;
}

struct FoldBallot {
  static constexpr unsigned start = 0;
  static unsigned add(unsigned total, unsigned value, int lane) { return total | (value ? 1u : 0u) << lane; }
};
struct FoldAdd {
  static constexpr unsigned start = 0;
  static unsigned add(unsigned total, unsigned value, int) { return total + value; }
};
struct FoldMin {
  static constexpr unsigned start = ~0u;
  static unsigned add(unsigned total, unsigned value, int) { return std::min(total, value); }
};
struct FoldMax {
  static constexpr unsigned start = 0;
  static unsigned add(unsigned total, unsigned value, int) { return std::max(total, value); }
};
struct FoldOr {
  static constexpr unsigned start = 0;
  static unsigned add(unsigned total, unsigned value, int) { return total | value; }
};
struct FoldAnd {
  static constexpr unsigned start = ~0u;
  static unsigned add(unsigned total, unsigned value, int) { return total & value; }
};

inline int segment_start(int width) { return static_cast<int>(lane) & ~(width - 1); }

}  // namespace simt

// ---- barriers

inline void __syncthreads(simt::Place place = simt::Place::here()) {
  simt::block_barrier(false, simt::Vote::none, "__syncthreads", place);
}
inline int __syncthreads_count(int predicate, simt::Place place = simt::Place::here()) {
  return simt::block_barrier(predicate != 0, simt::Vote::count, "__syncthreads_count", place);
}
inline int __syncthreads_and(int predicate, simt::Place place = simt::Place::here()) {
  return simt::block_barrier(predicate != 0, simt::Vote::all, "__syncthreads_and", place);
}
inline int __syncthreads_or(int predicate, simt::Place place = simt::Place::here()) {
  return simt::block_barrier(predicate != 0, simt::Vote::any, "__syncthreads_or", place);
}
inline void __syncwarp(unsigned mask = 0xffffffffu, simt::Place place = simt::Place::here()) {
  simt::warp_collective(mask, "__syncwarp", nullptr, nullptr, true, place);
}
inline void __threadfence() { simt::thread_fence(); }
inline void __threadfence_block() {}  // inside a block only barriers and __syncwarp order memory here

// ---- warp functions

template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32, simt::Place place = simt::Place::here()) {
  return simt::shuffle(mask, value, simt::segment_start(width) | (source & (width - 1)), "__shfl_sync", place);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32, simt::Place place = simt::Place::here()) {
  const int mine = static_cast<int>(simt::lane), source = mine ^ lanes;
  const bool beyond = (source & ~(width - 1)) > simt::segment_start(width);
  return simt::shuffle(mask, value, beyond ? mine : source, "__shfl_xor_sync", place);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32, simt::Place place = simt::Place::here()) {
  const int mine = static_cast<int>(simt::lane), source = mine + static_cast<int>(delta);
  return simt::shuffle(mask, value, source >= simt::segment_start(width) + width ? mine : source, "__shfl_down_sync",
                       place);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32, simt::Place place = simt::Place::here()) {
  const int mine = static_cast<int>(simt::lane), source = mine - static_cast<int>(delta);
  return simt::shuffle(mask, value, source < simt::segment_start(width) ? mine : source, "__shfl_up_sync", place);
}

inline unsigned __ballot_sync(unsigned mask, int predicate, simt::Place place = simt::Place::here()) {
  return simt::reduce<simt::FoldBallot>(mask, predicate != 0, "__ballot_sync", place);
}
inline int __any_sync(unsigned mask, int predicate, simt::Place place = simt::Place::here()) {
  return simt::reduce<simt::FoldOr>(mask, predicate != 0, "__any_sync", place) != 0;
}
inline int __all_sync(unsigned mask, int predicate, simt::Place place = simt::Place::here()) {
  return simt::reduce<simt::FoldAnd>(mask, predicate != 0, "__all_sync", place) != 0;
}
inline unsigned __reduce_add_sync(unsigned mask, unsigned value, simt::Place place = simt::Place::here()) {
  return simt::reduce<simt::FoldAdd>(mask, value, "__reduce_add_sync", place);
}
inline unsigned __reduce_min_sync(unsigned mask, unsigned value, simt::Place place = simt::Place::here()) {
  return simt::reduce<simt::FoldMin>(mask, value, "__reduce_min_sync", place);
}
inline unsigned __reduce_max_sync(unsigned mask, unsigned value, simt::Place place = simt::Place::here()) {
  return simt::reduce<simt::FoldMax>(mask, value, "__reduce_max_sync", place);
}

// ---- atomics on integers (one host thread runs a grid, so a plain update is atomic); none on floats, whose sums would
// depend on timing

namespace simt {

template <class T, class Update>
__attribute__((always_inline)) inline T update_atomically(T* address, Update update) {
  static_assert(std::is_integral<T>::value, "floating-point atomics make results depend on timing");
  trace_access(address, sizeof(T), kWrite | kAtomic);
  Untraced untraced;
  const T old = *address;
  *address = update(old);
  return old;
}

}  // namespace simt

template <class T>
__forceinline__ T atomicAdd(T* address, simt::identity_t<T> value) {
  return simt::update_atomically(address, [=](T old) { return static_cast<T>(old + value); });
}
template <class T>
__forceinline__ T atomicSub(T* address, simt::identity_t<T> value) {
  return simt::update_atomically(address, [=](T old) { return static_cast<T>(old - value); });
}
template <class T>
__forceinline__ T atomicMax(T* address, simt::identity_t<T> value) {
  return simt::update_atomically(address, [=](T old) { return std::max(old, value); });
}
template <class T>
__forceinline__ T atomicMin(T* address, simt::identity_t<T> value) {
  return simt::update_atomically(address, [=](T old) { return std::min(old, value); });
}
template <class T>
__forceinline__ T atomicOr(T* address, simt::identity_t<T> value) {
  return simt::update_atomically(address, [=](T old) { return static_cast<T>(old | value); });
}
template <class T>
__forceinline__ T atomicAnd(T* address, simt::identity_t<T> value) {
  return simt::update_atomically(address, [=](T old) { return static_cast<T>(old & value); });
}
template <class T>
__forceinline__ T atomicXor(T* address, simt::identity_t<T> value) {
  return simt::update_atomically(address, [=](T old) { return static_cast<T>(old ^ value); });
}
// Round and round between 0 and `last`.
__forceinline__ unsigned atomicInc(unsigned* address, unsigned last) {
  return simt::update_atomically(address, [=](unsigned old) { return old >= last ? 0 : old + 1; });
}
__forceinline__ unsigned atomicDec(unsigned* address, unsigned last) {
  return simt::update_atomically(address, [=](unsigned old) { return old == 0 || old > last ? last : old - 1; });
}
template <class T>
__forceinline__ T atomicExch(T* address, simt::identity_t<T> value) {
  return simt::update_atomically(address, [=](T) { return value; });
}
template <class T>
__forceinline__ T atomicCAS(T* address, simt::identity_t<T> expected, simt::identity_t<T> value) {
  return simt::update_atomically(address, [=](T old) { return old == expected ? value : old; });
}

// ---- cp.async. `source_bytes` below `Bytes` fills the rest with zeros.

template <int Bytes>
__forceinline__ void cp_async(void* shared, const void* global, int source_bytes = Bytes,
                              simt::Place place = simt::Place::here()) {
  static_assert(Bytes == 4 || Bytes == 8 || Bytes == 16, "cp.async copies 4, 8 or 16 bytes");
  simt::async_copy(shared, global, Bytes, static_cast<unsigned>(source_bytes), place);
}
inline void cp_async_commit() { simt::async_copy_commit(); }
template <int GroupsLeft>
inline void cp_async_wait() {
  simt::async_copy_wait(GroupsLeft);
}

// ---- intrinsics

template <class T>
__forceinline__ T __ldg(const T* address) {
  return *address;
}
inline unsigned __umulhi(unsigned a, unsigned b) {
  return static_cast<unsigned>(static_cast<std::uint64_t>(a) * b >> 32);
}
inline std::uint64_t __umul64hi(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::uint64_t>(static_cast<Wide>(a) * b >> 64);
}
inline int __popc(unsigned value) { return __builtin_popcount(value); }
inline int __clz(int value) { return value ? __builtin_clz(static_cast<unsigned>(value)) : 32; }
inline int __ffs(int value) { return __builtin_ffs(value); }

// Rounded each by itself, where nvcc would make one fused operation of a product and a sum. x86-64 has no other way.
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline double __dadd_rn(double a, double b) { return a + b; }
inline double __dsub_rn(double a, double b) { return a - b; }

// 1 / sqrt(x), in float rounded once; a GPU's is within 2 units in the last place.
#if !defined(__GLIBC_PREREQ)
#define SIMT_HAS_RSQRT 0
#else
#define SIMT_HAS_RSQRT __GLIBC_PREREQ(2, 42)  // by C23's names
#endif
#if !SIMT_HAS_RSQRT
inline float rsqrtf(float x) { return static_cast<float>(1 / std::sqrt(static_cast<double>(x))); }
inline double rsqrt(double x) { return 1 / std::sqrt(x); }
#endif
inline float rsqrt(float x) { return rsqrtf(x); }

inline float __double2float_rz(double value) {
  const float nearest = static_cast<float>(value);
  return std::fabs(nearest) > std::fabs(value) ? std::nextafter(nearest, 0.0f) : nearest;
}

// sin(pi x) and cos(pi x): the remainder modulo 2 is exact, so only the last product is rounded.
template <class T>
inline void sincospi(T x, T* sine, T* cosine) {
  const T angle = static_cast<T>(M_PI) * std::remainder(x, T(2));
  *sine = std::sin(angle);
  *cosine = std::cos(angle);
}
