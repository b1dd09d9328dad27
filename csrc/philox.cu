// Random numbers by their place in a sequence.
#include "philox.h"

#include "device/philox.h"
#include "device/vector.h"
#include "dispatch.h"

// ---- kernels

namespace {

struct MakeWords {
  __device__ __forceinline__ void operator()(uint4 words, unsigned (&made)[4]) const {
    made[0] = words.x;
    made[1] = words.y;
    made[2] = words.z;
    made[3] = words.w;
  }
};

struct MakeUniform {
  template <class A>
  __device__ __forceinline__ void operator()(uint4 words, A (&made)[4]) const {
    uniform_from_words(words, made);
  }
};

struct MakeNormal {
  template <class A>
  __device__ __forceinline__ void operator()(uint4 words, A (&made)[4]) const {
    normal_from_words(words, made);
  }
};

// Numbers first .. first + 3 of out: (n,), those that it has. aligned: they can be written 16 bytes at once.
template <class T>
__device__ __forceinline__ void store_block(T* out, const T (&made)[4], std::int64_t first, std::int64_t n,
                                            bool aligned) {
  if (aligned && first >= 0 && first + 4 <= n) {
#pragma unroll
    for (int v = 0; v < 4 / kVector<T>; v++) {
      uint4 raw;
      memcpy(&raw, made + v * kVector<T>, sizeof raw);
      reinterpret_cast<uint4*>(out + first)[v] = raw;
    }
    return;
  }
#pragma unroll
  for (int j = 0; j < 4; j++) {
    if (first + j >= 0 && first + j < n) out[first + j] = made[j];
  }
}

// One thread per cipher block. out: (n,), element j from word start + j; the first and last block may lie partly
// outside.
template <class T, class Make>
__global__ void __launch_bounds__(kThreads)
    philox_kernel(T* out, std::int64_t n, PhiloxSequence sequence, std::uint64_t start, bool aligned, Make make) {
  const std::int64_t block = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  const std::int64_t first = block * 4 - std::int64_t(start % 4);
  if (first >= n) return;
  T made[4];
  make(sequence.cipher(start / 4 + std::uint64_t(block)), made);
  store_block(out, made, first, n, aligned);
}

// One thread per cipher block of a row. rows: (S,), out: (S, count); row s starts at block rows[s] * ceil(count / 4).
__global__ void __launch_bounds__(kThreads)
    philox_uint32_rows_kernel(const std::uint64_t* rows, unsigned* out, std::int64_t threads, std::int64_t count,
                              bool aligned, PhiloxSequence sequence) {
  const std::int64_t thread = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (thread >= threads) return;
  const std::int64_t per_row = (count + 3) / 4, row = thread / per_row, block = thread % per_row;
  unsigned made[4];
  MakeWords{}(sequence.cipher(rows[row] * std::uint64_t(per_row) + std::uint64_t(block)), made);
  store_block(out + row * count, made, block * 4, count, aligned);
}

// ---- launchers

template <class T, class Make>
void launch_philox(const ArrayView& out, PhiloxSequence sequence, std::uint64_t start, Make make, simt::Stream stream) {
  const std::int64_t before = std::int64_t(start % 4);  // words of the first block that nobody asked for
  simt::launch(one_dimensional(ceil_div(out.size + before, 4), stream), philox_kernel<T, Make>, out.as<T>(), out.size,
               sequence, start, before == 0 && vector_aligned(out), make);
}

template <class Make>
void launch_numbers(const ArrayView& out, PhiloxSequence sequence, std::uint64_t start, Make make,
                    simt::Stream stream) {
  switch (out.dtype) {
    case DType::float32:
      return launch_philox<float>(out, sequence, start, make, stream);
    case DType::float64:
      return launch_philox<double>(out, sequence, start, make, stream);
    default:
      throw TypeError(std::string("expected float32 or float64, got ") + dtype_name(out.dtype));
  }
}

}  // namespace

void launch_philox_uint32(const ArrayView& out, std::uint64_t seed, std::uint64_t stream, std::uint64_t start,
                          simt::Stream cuda_stream) {
  if (out.size == 0) return;
  launch_philox<unsigned>(out, {seed, stream}, start, MakeWords{}, cuda_stream);
  CHECK_LAUNCH("philox_uint32");
}

void launch_philox_uniform(const ArrayView& out, std::uint64_t seed, std::uint64_t stream, std::uint64_t start,
                           simt::Stream cuda_stream) {
  if (out.size == 0) return;
  launch_numbers(out, {seed, stream}, start, MakeUniform{}, cuda_stream);
  CHECK_LAUNCH("philox_uniform");
}

void launch_philox_normal(const ArrayView& out, std::uint64_t seed, std::uint64_t stream, std::uint64_t start,
                          simt::Stream cuda_stream) {
  if (out.size == 0) return;
  launch_numbers(out, {seed, stream}, start, MakeNormal{}, cuda_stream);
  CHECK_LAUNCH("philox_normal");
}

void launch_philox_uint32_rows(const ArrayView& rows, const ArrayView& out, std::uint64_t seed, std::uint64_t stream,
                               simt::Stream cuda_stream) {
  if (out.size == 0) return;
  const std::int64_t count = out.shape[1], threads = out.shape[0] * ceil_div(count, 4);
  simt::launch(one_dimensional(threads, cuda_stream), philox_uint32_rows_kernel, rows.as<const std::uint64_t>(),
               out.as<unsigned>(), threads, count, count % 4 == 0 && vector_aligned(out), PhiloxSequence{seed, stream});
  CHECK_LAUNCH("philox_uint32_rows");
}
