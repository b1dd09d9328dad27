// Reverses each run of 256 numbers through shared memory. The barrier between writing and reading is missing: on a GPU
// the result is right on most days. `python examples/simt/reverse.py` finds it.
#include <simt.h>

__global__ void reverse_kernel(const float* x, float* y) {
  SHARED_MEMORY(tile, float[256]);
  const std::int64_t i = std::int64_t(blockIdx.x) * 256 + threadIdx.x;
  tile[threadIdx.x] = x[i];
  y[i] = tile[255 - threadIdx.x];
}

extern "C" void launch_reverse(const float* x, float* y, std::int64_t n) {  // n is a multiple of 256
  simt::launch({dim3(unsigned(n / 256)), dim3(256), 0, nullptr}, reverse_kernel, x, y);
}
