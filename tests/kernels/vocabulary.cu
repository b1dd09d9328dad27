// Each word of CUDA that gpudl's own kernels do not use, in a kernel of its own: for tests/test_simt_vocabulary.py.
#include <simt.h>

// Every thread of the grid acts on one element; old[i] is what the thread i found there.
#define ATOMIC_KERNEL(name, T)                                                        \
  __global__ void name##_kernel(T* element, const T* values, T* old) {                \
    const std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x;       \
    old[i] = name(element, values[i]);                                                \
  }                                                                                   \
  extern "C" void launch_##name(T* element, const T* values, T* old, std::int64_t n) {  \
    simt::launch({dim3(unsigned(n / 64)), dim3(64), 0, nullptr}, name##_kernel, element, values, old); \
  }

ATOMIC_KERNEL(atomicAdd, int)
ATOMIC_KERNEL(atomicSub, int)
ATOMIC_KERNEL(atomicMax, int)
ATOMIC_KERNEL(atomicMin, int)
ATOMIC_KERNEL(atomicAnd, unsigned)
ATOMIC_KERNEL(atomicOr, unsigned)
ATOMIC_KERNEL(atomicXor, unsigned)
ATOMIC_KERNEL(atomicInc, unsigned)
ATOMIC_KERNEL(atomicDec, unsigned)
ATOMIC_KERNEL(atomicExch, unsigned)

// The largest by compare and swap, as one writes an atomic that CUDA lacks.
__global__ void atomicCAS_kernel(unsigned* element, const unsigned* values, unsigned* old) {
  const std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  unsigned found = atomicAdd(element, 0u), expected;
  do {
    expected = found;
    found = atomicCAS(element, expected, max(expected, values[i]));
  } while (found != expected);
  old[i] = found;
}
extern "C" void launch_atomicCAS(unsigned* element, const unsigned* values, unsigned* old, std::int64_t n) {
  simt::launch({dim3(unsigned(n / 64)), dim3(64), 0, nullptr}, atomicCAS_kernel, element, values, old);
}

__global__ void rsqrt_kernel(const float* x, const double* wide, float* single, float* overloaded, double* result) {
  const unsigned i = threadIdx.x;
  single[i] = rsqrtf(x[i]);
  overloaded[i] = rsqrt(x[i]);
  result[i] = rsqrt(wide[i]);
}
extern "C" void launch_rsqrt(const float* x, const double* wide, float* single, float* overloaded, double* result,
                             std::int64_t n) {
  simt::launch({dim3(1), dim3(unsigned(n)), 0, nullptr}, rsqrt_kernel, x, wide, single, overloaded, result);
}
