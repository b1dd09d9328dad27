// Random numbers by their place in a sequence; the cipher is in device/philox.h.
#pragma once

#include "array_view.h"
#include "simt/stream.h"

// out[j] from word start + j of (seed, stream).
void launch_philox_uint32(const ArrayView& out, std::uint64_t seed, std::uint64_t stream, std::uint64_t start,
                          simt::Stream cuda_stream);
void launch_philox_uniform(const ArrayView& out, std::uint64_t seed, std::uint64_t stream, std::uint64_t start,
                           simt::Stream cuda_stream);
void launch_philox_normal(const ArrayView& out, std::uint64_t seed, std::uint64_t stream, std::uint64_t start,
                          simt::Stream cuda_stream);
void launch_philox_uint32_rows(const ArrayView& rows,  // (S,) uint64
                               const ArrayView& out,   // (S, count) uint32
                               std::uint64_t seed, std::uint64_t stream, simt::Stream cuda_stream);
