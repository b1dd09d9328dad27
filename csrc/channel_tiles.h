// How (samples, rows, C) is cut for kernels that go down its rows: what bindings and kernels know of it.
#pragma once

#include "array_view.h"

// The host compiler of the bindings has no words for what kernels may call as well.
#if defined(__CUDACC__)
#define GPUDL_HOST_DEVICE __host__ __device__
#else
#define GPUDL_HOST_DEVICE
#endif

struct ChannelTiles {
  std::int64_t samples = 0, rows = 0, channels = 0;  // rows of a sample
  std::int64_t joined = 0;                           // rows of a wide row
  std::int64_t width = 0;                            // elements of a wide row
  std::int64_t wide_rows = 0;                        // of a sample, the last of them perhaps not whole
  std::int64_t chunk = 0;                            // wide rows of a block
  std::int64_t pieces = 0;                           // blocks of a sample below each other
  std::int64_t columns = 0;                          // blocks side by side
  int lanes = 1;

  GPUDL_HOST_DEVICE std::int64_t sample_size() const { return rows * channels; }
  // Partial results that a channel of a sample gets; they lie as (samples, entries, C).
  GPUDL_HOST_DEVICE std::int64_t entries() const { return pieces * joined; }
  std::int64_t partials() const { return samples * entries() * channels; }
  std::int64_t blocks() const { return samples * pieces * columns; }

  // Rows that an entry stands for.
  GPUDL_HOST_DEVICE std::int64_t rows_of(std::int64_t entry) const {
    const std::int64_t begin = entry / joined * chunk;
    const std::int64_t end = begin + chunk < wide_rows ? begin + chunk : wide_rows;
    const bool absent = end == wide_rows && (wide_rows - 1) * joined + entry % joined >= rows;
    return end - begin - (absent ? 1 : 0);
  }
};

// Cut by the shape alone: the bits do not depend on the machine. All zero where there are no elements.
ChannelTiles channel_tiles(std::int64_t samples, std::int64_t rows, std::int64_t channels, DType dtype);
