// How a kernel goes through (samples, rows, C), channels-last memory.
//
// Rows are joined to wide ones, whose length is a whole number of sectors of 32 bytes, so that vectors of 16 bytes fit
// for every C: a column of a wide row is always the same channel. A thread holds the group of 16 bytes of some columns
// and goes down the rows; `lanes` threads stand side by side, and kThreads / lanes of them below each other.
#pragma once

#include "channel_tiles.h"
#include "device/vector.h"
#include "dispatch.h"

constexpr int kMaxLanes = 64;  // threads side by side, at most

// A grid of one block of kThreads per tile, refused where CUDA has no such grid.
simt::LaunchConfig tile_config(const ChannelTiles& tiles, simt::Stream stream);

// The place of a thread: wide rows row, row + step, ... below end of the columns from `column` on. `full` of its N
// columns exist, `tail` of them in the last wide row. A thread without work has row == end.
template <int N>
struct TileThread {
  std::int64_t sample, piece, column, row, end, last;
  int lanes, step, full, tail;

  __device__ __forceinline__ explicit TileThread(const ChannelTiles& tiles) {
    const unsigned block = blockIdx.x / unsigned(tiles.columns), tile = blockIdx.x % unsigned(tiles.columns);
    lanes = tiles.lanes;
    const int lane = int(threadIdx.x) % lanes, below = int(threadIdx.x) / lanes;
    piece = block % unsigned(tiles.pieces);
    sample = block / unsigned(tiles.pieces);
    column = (std::int64_t(tile) * lanes + lane) * N;
    last = tiles.wide_rows - 1;
    step = kThreads / lanes;
    full = existing(tiles.width);
    tail = existing(tiles.sample_size() - last * tiles.width);
    end = min((piece + 1) * tiles.chunk, tiles.wide_rows);
    row = below < step && full > 0 ? min(piece * tiles.chunk + below, end) : end;
  }

  __device__ __forceinline__ bool uppermost() const { return int(threadIdx.x) < lanes; }
  __device__ __forceinline__ int elements(std::int64_t wide_row) const { return wide_row == last ? tail : full; }

  // Elements that the thread meets in its column j.
  __device__ __forceinline__ std::int64_t count(int j) const {
    if (j >= full || row >= end) return 0;
    const std::int64_t visited = (end - row + step - 1) / step;
    return visited - (row + (visited - 1) * step == last && j >= tail ? 1 : 0);
  }

 private:
  __device__ __forceinline__ int existing(std::int64_t length) const {
    return int(max(std::int64_t(0), min(std::int64_t(N), length - column)));
  }
};

// The values of the threads below each other combined, for each of their columns; the uppermost gets the result. Once
// in a kernel, by all threads.
template <int N, class Value, class Combine>
__device__ __forceinline__ void reduce_columns(Value (&values)[N], int lanes, Combine combine) {
  SHARED_MEMORY(shared, Value[N][kThreads]);
  const int height = kThreads / lanes, mine = int(threadIdx.x) / lanes;
#pragma unroll
  for (int j = 0; j < N; j++) shared[j][threadIdx.x] = values[j];
  int reach = 1;
  while (2 * reach < height) reach *= 2;
  for (; reach > 0; reach /= 2) {
    __syncthreads();
    if (mine >= reach || mine + reach >= height) continue;
#pragma unroll
    for (int j = 0; j < N; j++) {
      values[j] = combine(values[j], shared[j][threadIdx.x + unsigned(reach * lanes)]);
      shared[j][threadIdx.x] = values[j];
    }
  }
}

// From a vector of C, the numbers of the channels of N neighbouring columns.
template <int N, class T>
__device__ __forceinline__ void load_channels(accumulate_t<T> (&values)[N], const T* vector, std::int64_t column,
                                              std::int64_t channels, bool aligned) {
  std::int64_t channel = column % channels;
  if (channel + N <= channels) return load_group<N>(values, vector, channel, 0, channels, aligned && channel % N == 0);
#pragma unroll
  for (int j = 0; j < N; j++) {
    values[j] = widen(vector[channel]);
    if (++channel == channels) channel = 0;
  }
}

// From the groups of channels of a sample, the numbers of N neighbouring columns; `size` channels are a group.
template <int N, class A>
__device__ __forceinline__ void load_groups(A (&values)[N], const A* groups, std::int64_t column, std::int64_t channels,
                                            std::int64_t size, bool aligned) {
  if (size == 1) return load_channels(values, groups, column, channels, aligned);
  std::int64_t channel = column % channels, group = channel / size, within = channel % size;
#pragma unroll
  for (int j = 0; j < N; j++) {
    values[j] = j > 0 && within != 0 ? values[j - 1] : groups[group];
    if (++within == size) {
      within = 0;
      group++;
    }
    if (++channel == channels) channel = group = within = 0;
  }
}
