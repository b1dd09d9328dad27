// Passes over one flat array: partial norms, the non-finite test, scaling, clamping, running average.
#pragma once

#include "array_view.h"
#include "simt/stream.h"

constexpr std::int64_t kFlatBlock = 1 << 16;  // elements of a partial result: a fixed number, so that the sum is

// How the magnitudes of a block become one number.
enum class FlatFold { squares, magnitudes, powers, nonzero, largest, smallest, nonfinite };

void launch_flat_partials(const ArrayView& x,         // (M,)
                          const ArrayView& partials,  // (ceil(M / kFlatBlock),) float64
                          FlatFold fold, double power, simt::Stream stream);

void launch_flat_scale(const ArrayView& x, double factor, simt::Stream stream);

void launch_flat_clamp(const ArrayView& x, double limit, simt::Stream stream);

void launch_flat_average(const ArrayView& x,        // (M,)
                         const ArrayView& average,  // (M,), float32 where x is half precision, else of x
                         double decay, simt::Stream stream);
