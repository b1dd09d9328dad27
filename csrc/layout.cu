// The same elements in the other memory order.
#include "layout.h"

#include <algorithm>

#include "device/units.h"

// ---- kernels

namespace {

constexpr int kTile = 32;

// One block per 32 x 32 tile, through shared memory, so that a warp reads 32 neighbours and writes 32 neighbours.
// x: (B, R, S) -> y: (B, S, R); tiles of a matrix follow each other along S, then R. Rows of 33: a column of the tile
// then lies in 32 banks.
template <class Unit>
__global__ void __launch_bounds__(kThreads)
    transpose_kernel(const Unit* x, Unit* y, std::int64_t R, std::int64_t S, std::int64_t across, std::int64_t down) {
  SHARED_MEMORY(tile, Unit[kTile][kTile + 1]);
  const std::int64_t s0 = blockIdx.x % across * kTile, r0 = blockIdx.x / across % down * kTile;
  const std::int64_t matrix = blockIdx.x / across / down * R * S;
  const int lane = int(threadIdx.x) % kTile, line = int(threadIdx.x) / kTile;
  for (int r = line; r < kTile; r += kThreads / kTile) {
    if (r0 + r < R && s0 + lane < S) tile[r][lane] = x[matrix + (r0 + r) * S + s0 + lane];
  }
  __syncthreads();
  for (int s = line; s < kTile; s += kThreads / kTile) {
    if (s0 + s < S && r0 + lane < R) y[matrix + (s0 + s) * R + r0 + lane] = tile[lane][s];
  }
}

constexpr int kThinTile = kTile * kTile;  // elements

// One side is thinner than a tile, such as the 3 channels of an image. One block per `span` places of the long side: in
// one of x and y that is a single run of memory, in the other a row for each of `thin`. rows_in: x is (B, thin, length)
// and y is (B, length, thin), else the other way round. thin < 32; span is a multiple of 32, thin * span <= kThinTile.
// Places are an odd number of elements apart in shared memory, so that a row of them lies in 32 banks.
template <class Unit>
__global__ void __launch_bounds__(kThreads)
    transpose_thin_kernel(const Unit* x, Unit* y, unsigned thin, std::int64_t length, unsigned span,
                          std::int64_t blocks, bool rows_in) {
  SHARED_MEMORY(tile, Unit[kThinTile + kThinTile / 2]);
  const std::int64_t start = blockIdx.x % blocks * span, matrix = blockIdx.x / blocks * thin * length;
  const unsigned places = unsigned(min(std::int64_t(span), length - start)), apart = thin | 1;
  const auto row_element = [&](unsigned i, unsigned place) { return matrix + i * length + start + place; };
  const std::int64_t run = matrix + start * thin;
  for (unsigned k = threadIdx.x; k < thin * span; k += kThreads) {
    if (rows_in) {
      const unsigned i = k / span, place = k % span;
      if (place < places) tile[place * apart + i] = x[row_element(i, place)];
    } else if (k < thin * places) {
      tile[k / thin * apart + k % thin] = x[run + k];
    }
  }
  __syncthreads();
  for (unsigned k = threadIdx.x; k < thin * span; k += kThreads) {
    if (!rows_in) {
      const unsigned i = k / span, place = k % span;
      if (place < places) y[row_element(i, place)] = tile[place * apart + i];
    } else if (k < thin * places) {
      y[run + k] = tile[k / thin * apart + k % thin];
    }
  }
}

}  // namespace

// ---- launchers

void launch_transpose(const ArrayView& x, const ArrayView& y, std::int64_t R, std::int64_t S, simt::Stream stream) {
  if (y.size == 0) return;
  const std::int64_t batch = y.size / (R * S), thin = std::min(R, S), length = std::max(R, S);
  dispatch_unit<std::uint8_t, std::uint16_t, std::uint32_t, std::uint64_t>(dtype_bytes(y.dtype), [&](auto type) {
    using Unit = typename decltype(type)::type;
    if (thin < kTile) {
      const std::int64_t span = kThinTile / thin / kTile * kTile, blocks = ceil_div(length, span);
      simt::launch(one_dimensional(batch * blocks * kThreads, stream), transpose_thin_kernel<Unit>,
                   x.as<const Unit>(), y.as<Unit>(), unsigned(thin), length, unsigned(span), blocks, R == thin);
    } else {
      const std::int64_t across = ceil_div(S, kTile), down = ceil_div(R, kTile);
      simt::launch(one_dimensional(batch * across * down * kThreads, stream), transpose_kernel<Unit>,
                   x.as<const Unit>(), y.as<Unit>(), R, S, across, down);
    }
  });
  CHECK_LAUNCH("transpose");
}
