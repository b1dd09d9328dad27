// What the kernels of depthwise convolution share: taps, channels of a thread, filters in shared memory.
#pragma once

#include "conv2d_shape.h"
#include "device/block_tile.h"
#include "device/vector.h"

// Which input each tap of each output meets, along one axis: number (output * scale + offset + tap * step) / divisor
// where that is whole.
struct TapAxis {
  static constexpr int kOutside = -1;  // beyond the edges, where the input is 0
  static constexpr int kNothing = -2;  // the tap falls between the inputs

  int inputs, outputs, taps;
  int scale, offset, step, divisor;

  __device__ __forceinline__ int input(int output, int tap) const {
    int place = output * scale + offset + tap * step;
    if (divisor > 1) {
      if (place % divisor) return kNothing;
      place /= divisor;
    }
    return place >= 0 && place < inputs ? place : kOutside;
  }
};

inline TapAxis forward_axis(std::int64_t inputs, std::int64_t outputs, std::int64_t taps, std::int64_t stride,
                            std::int64_t padding, std::int64_t dilation) {
  return {int(inputs), int(outputs), int(taps), int(stride), int(-padding), int(dilation), 1};
}

// A depthwise convolution forward, or backward to its data, where the taps are taken in reverse, so that a tap further
// on meets an input further on in both.
struct Correlation {
  TapAxis rows, columns;
  std::int64_t images, in_channels, out_channels;
  std::int64_t summed;    // channels of the input that make a channel of the output
  std::int64_t repeated;  // channels of the output that an input channel makes; one of these two is 1
  bool reversed;

  __device__ __forceinline__ std::int64_t field() const { return std::int64_t(rows.taps) * columns.taps; }
};

// N neighbouring channels; where N is more than 1 a vector, aligned.
template <int N, class T>
__device__ __forceinline__ void load_channels(accumulate_t<T> (&values)[N], const T* memory, bool aligned = true) {
  if constexpr (N == 1) {
    values[0] = widen(*memory);
  } else {
    load_group<N>(values, memory, 0, 0, N, aligned);
  }
}
template <int N, class T>
__device__ __forceinline__ void store_channels(T* memory, const accumulate_t<T> (&values)[N]) {
  if constexpr (N == 1) {
    *memory = narrow<T>(values[0]);
  } else {
    store_group<N>(memory, values, 0, 0, N, true);
  }
}

// Elements of shared memory from one tap of a tile of channels to the next: a vector more than the channels, or all
// taps of a channel would lie in one bank.
template <class T, int N>
__host__ __device__ __forceinline__ int tap_pitch(const BlockTile& tile) {
  return tile.lanes * N + kVector<T>;
}

// Taps [first, first + count) of the summed channels' filters, of the tile's channels from `channel` on, to
// filters: (count, pitch). In memory the taps of an output channel are one run: weight (out_channels, summed * field).
template <class T>
__device__ __forceinline__ void stage_filters(T* filters, const T* weight, const Correlation& c, std::int64_t channel,
                                              int channels, int pitch, std::int64_t first, int count) {
  const std::int64_t field = c.field(), run = c.summed * field;
  channels = static_cast<int>(min(std::int64_t(channels), c.out_channels - channel));
  for (int i = static_cast<int>(threadIdx.x); i < channels * count; i += kThreads) {
    const int k = i / count, v = i % count;
    std::int64_t source = first + v;
    if (c.reversed) {
      const std::int64_t tap = source % field;
      source += field - 1 - 2 * tap;
    }
    filters[v * pitch + k] = weight[(channel + k) * run + source];
  }
}
