// Kernels with one fault each, and the same kernels without it: what the checked build must find, and what it must not.
// Every launcher takes x and y of n floats, and whether the kernel is to be right.
#include <simt.h>

namespace {

constexpr int kThreads = 64;

// y reversed within a block, through shared memory. Fault: no barrier between writing and reading the tile.
template <bool Right>
__global__ void missing_barrier_kernel(const float* x, float* y) {
  SHARED_MEMORY(tile, float[kThreads]);
  tile[threadIdx.x] = x[threadIdx.x];
  if (Right) __syncthreads();
  y[threadIdx.x] = tile[kThreads - 1 - threadIdx.x];
}

// Fault: the guard lets one element too many through.
template <bool Right>
__global__ void global_overrun_kernel(const float* x, float* y, std::int64_t n) {
  const std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (Right ? i >= n : i > n) return;
  y[i] = x[i];  // overruns
}

// Fault: the last thread reads one element behind the tile.
template <bool Right>
__global__ void shared_overrun_kernel(const float* x, float* y) {
  SHARED_MEMORY(tile, float[kThreads]);
  tile[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  y[threadIdx.x] = tile[Right ? (threadIdx.x + 1) % kThreads : threadIdx.x + 1];
}

// Fault: only half of the tile is written before all of it is read.
template <bool Right>
__global__ void unwritten_shared_kernel(const float* x, float* y) {
  SHARED_MEMORY(tile, float[kThreads]);
  if (Right || threadIdx.x < kThreads / 2) tile[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  y[threadIdx.x] = tile[threadIdx.x];
}

// Fault: the result is accumulated into memory that nobody has written.
template <bool Right>
__global__ void unwritten_global_kernel(const float* x, float* y, std::int64_t n) {
  const std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= n) return;
  if (Right) {
    y[i] = x[i];
  } else {
    y[i] += x[i];
  }
}

// Fault: all blocks add to one element without an atomic.
template <bool Right>
__global__ void global_race_kernel(const float* x, float* y) {
  if (threadIdx.x != 0) return;
  const int target = Right ? blockIdx.x : 0;
  y[target] = x[blockIdx.x];
}

// Fault: vectors of 16 bytes from an address that is a multiple of 4.
template <bool Right>
__global__ void misaligned_vector_kernel(const float* x, float* y) {
  const float4 value = *reinterpret_cast<const float4*>(x + (Right ? 0 : 1));
  y[threadIdx.x] = value.x + value.w;
}

// Fault: threads of one block wait at different barriers.
template <bool Right>
__global__ void divergent_barrier_kernel(const float* x, float* y) {
  if (Right || threadIdx.x < 32) {
    __syncthreads();
  } else {
    y[threadIdx.x] = 0;
    __syncthreads();
  }
  y[threadIdx.x] = x[threadIdx.x];
}

// Fault: threads leave before the barrier at which the others wait.
template <bool Right>
__global__ void early_return_kernel(const float* x, float* y) {
  if (!Right && threadIdx.x >= 32) return;
  __syncthreads();
  y[threadIdx.x] = x[threadIdx.x];
}

// Fault: lanes exchange through shared memory and rely on running in step.
template <bool Right>
__global__ void warp_in_step_kernel(const float* x, float* y) {
  SHARED_MEMORY(tile, float[kThreads]);
  tile[threadIdx.x] = x[threadIdx.x];
  if (Right) __syncwarp();
  y[threadIdx.x] = tile[threadIdx.x ^ 1];
}

// Fault: half of the lanes that the mask names never come, and one that does reads from one that does not.
template <bool Right>
__global__ void absent_lane_kernel(const float* x, float* y) {
  const float mine = x[threadIdx.x];
  if (!Right && (threadIdx.x & 31) >= 16) return;
  y[threadIdx.x] = __shfl_down_sync(0xffffffffu, mine, 1);
}

// Fault: the tile is read before its asynchronous copy is waited for.
template <bool Right>
__global__ void async_copy_kernel(const float* x, float* y) {
  SHARED_MEMORY(tile, float[kThreads]);
  cp_async<4>(&tile[threadIdx.x], x + threadIdx.x);
  cp_async_commit();
  if (Right) cp_async_wait<0>();
  y[threadIdx.x] = tile[threadIdx.x];
  if (!Right) cp_async_wait<0>();
}

// Fault: an input is written.
template <bool Right>
__global__ void written_input_kernel(const float* x, float* y) {
  float* target = Right ? y : const_cast<float*>(x);
  target[threadIdx.x] = 1;
}

// Fault: one warp waits for lanes that wait at the barrier.
template <bool Right>
__global__ void deadlock_kernel(const float* x, float* y) {
  if (!Right && threadIdx.x == 0) {
    __syncwarp();
  }
  __syncthreads();
  y[threadIdx.x] = x[threadIdx.x];
}

// The last block to finish adds up the partial sums. Fault: no fence before the counter that hands them over.
template <bool Right>
__global__ void last_block_kernel(const float* x, float* y, unsigned* counter) {
  if (threadIdx.x != 0) return;
  y[1 + blockIdx.x] = x[blockIdx.x];
  if (Right) __threadfence();
  if (atomicInc(counter, gridDim.x - 1) != gridDim.x - 1) return;
  float sum = 0;
  for (unsigned i = 0; i < gridDim.x; i++) sum += y[1 + i];
  y[0] = sum;
}

__global__ void empty_kernel() {}

// A kernel that launches another one.
template <bool Right>
__global__ void nested_launch_kernel(const float* x, float* y) {
  y[threadIdx.x] = x[threadIdx.x];
  if (!Right) simt::launch({dim3(1), dim3(1), 0, nullptr}, empty_kernel);
}

// Not a fault but a cost: each warp reads a column, and so moves 32 sectors where 4 would do.
__global__ void column_read_kernel(const float* x, float* y) { y[threadIdx.x] = x[threadIdx.x * 32]; }

// Not a fault but a cost: a column of a tile lies in one bank, a padded one in all.
template <bool Padded>
__global__ void bank_conflict_kernel(const float* x, float* y) {
  SHARED_MEMORY(tile, float[32][Padded ? 33 : 32]);
  const int row = threadIdx.x / 32, column = threadIdx.x % 32;
  tile[column][row] = x[threadIdx.x];
  __syncthreads();
  y[threadIdx.x] = tile[row][column];
}

template <class... Parameters, class... Arguments>
void choose(bool right, int blocks, void (*good)(Parameters...), void (*bad)(Parameters...), Arguments... arguments) {
  simt::launch({dim3(blocks), dim3(kThreads), 0, nullptr}, right ? good : bad, arguments...);
}

}  // namespace

#define PLANTED(name, blocks)                                                    \
  extern "C" void launch_##name(const float* x, float* y, std::int64_t right) {  \
    choose(right != 0, blocks, name##_kernel<true>, name##_kernel<false>, x, y); \
  }

PLANTED(missing_barrier, 1)
PLANTED(shared_overrun, 1)
PLANTED(unwritten_shared, 1)
PLANTED(global_race, 4)
PLANTED(misaligned_vector, 1)
PLANTED(divergent_barrier, 1)
PLANTED(early_return, 1)
PLANTED(warp_in_step, 1)
PLANTED(absent_lane, 1)
PLANTED(async_copy, 1)
PLANTED(written_input, 1)
PLANTED(deadlock, 1)
PLANTED(nested_launch, 1)

extern "C" void launch_global_overrun(const float* x, float* y, std::int64_t n, std::int64_t right) {
  choose(right != 0, static_cast<int>(n / kThreads + 1), global_overrun_kernel<true>, global_overrun_kernel<false>, x,
         y, n);
}
extern "C" void launch_unwritten_global(const float* x, float* y, std::int64_t n, std::int64_t right) {
  choose(right != 0, static_cast<int>(n / kThreads + 1), unwritten_global_kernel<true>, unwritten_global_kernel<false>,
         x, y, n);
}
extern "C" void launch_last_block(const float* x, float* y, unsigned* counter, std::int64_t right) {
  choose(right != 0, 4, last_block_kernel<true>, last_block_kernel<false>, x, y, counter);
}
extern "C" void launch_empty(std::int64_t shared_bytes) {
  simt::launch({dim3(1), dim3(1), static_cast<std::size_t>(shared_bytes), nullptr}, empty_kernel);
}
extern "C" void launch_column_read(const float* x, float* y) {
  simt::launch({dim3(1), dim3(32), 0, nullptr}, column_read_kernel, x, y);
}
extern "C" void launch_bank_conflict(const float* x, float* y, std::int64_t padded) {
  simt::launch({dim3(1), dim3(1024), 0, nullptr}, padded ? bank_conflict_kernel<true> : bank_conflict_kernel<false>, x,
               y);
}
