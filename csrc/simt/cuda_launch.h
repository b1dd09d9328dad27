// What vocabulary.h gives to g++ beyond CUDA's own words, for nvcc.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "stream.h"

namespace simt {

template <class T>
struct Identity {
  using type = T;
};
template <class T>
using identity_t = typename Identity<T>::type;

struct LaunchConfig {
  dim3 grid;
  dim3 block;
  std::size_t shared_bytes = 0;
  Stream stream = nullptr;
};

// Where a launch goes that names no stream: CUDA's default one, unless whoever loads the library says another.
inline Stream default_stream = nullptr;

// A failure stays in cudaGetLastError, which CHECK_LAUNCH reads.
template <class... Parameters, class... Arguments>
void launch(const LaunchConfig& config, void (*kernel)(Parameters...), Arguments&&... arguments) {
  constexpr std::size_t kWithoutAsking = 48 * 1024;
  if (config.shared_bytes > kWithoutAsking) {
    const auto status = cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                             static_cast<int>(config.shared_bytes));
    if (status != cudaSuccess) return;
  }
  const Stream stream = config.stream ? config.stream : default_stream;
  kernel<<<config.grid, config.block, config.shared_bytes, stream>>>(
      static_cast<Parameters>(std::forward<Arguments>(arguments))...);
}

}  // namespace simt

#define SHARED_MEMORY(name, ...) __shared__ simt::identity_t<__VA_ARGS__> name
#define DYNAMIC_SHARED_MEMORY(name, ...)                                   \
  extern __shared__ __align__(1024) unsigned char dynamic_shared_memory[]; \
  __VA_ARGS__* name = reinterpret_cast<__VA_ARGS__*>(dynamic_shared_memory)

template <int Bytes>
__device__ __forceinline__ void cp_async(void* shared, const void* global, int source_bytes = Bytes) {
  static_assert(Bytes == 4 || Bytes == 8 || Bytes == 16, "cp.async copies 4, 8 or 16 bytes");
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(shared));
  if constexpr (Bytes == 16) {  // past L1: the data is read once
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(global), "r"(source_bytes)
                 : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(address), "l"(global), "n"(Bytes),
                 "r"(source_bytes)
                 : "memory");
  }
}
__device__ __forceinline__ void cp_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int GroupsLeft>
__device__ __forceinline__ void cp_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(GroupsLeft) : "memory");
}
