// Additive Gaussian noise.
#pragma once

#include "array_view.h"
#include "simt/stream.h"

void launch_gaussian_noise(const ArrayView& x, const ArrayView& y, double std, std::uint64_t seed, std::uint64_t stream,
                           simt::Stream cuda_stream);
