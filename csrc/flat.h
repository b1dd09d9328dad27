// Passes over one flat array: norms, the non-finite test, scaling, clamping, running average.
#pragma once

#include "array_view.h"
#include "simt/stream.h"

constexpr std::int64_t kFlatBlock = 1 << 16;  // elements of a partial result: a fixed number, so that the sum is

// How the magnitudes of a block become one number.
enum class FlatFold { squares, magnitudes, powers, nonzero, largest, smallest, nonfinite };

void launch_flat_partials(const ArrayView& x,         // (M,)
                          const ArrayView& partials,  // (ceil(M / kFlatBlock),) float64
                          FlatFold fold, double power, simt::Stream stream);

// The norm that the partial results of one or several arrays make together.
void launch_flat_norm(const ArrayView& partials,  // (B,) float64
                      const ArrayView& norm,      // (1,) float64
                      FlatFold fold, double power, simt::Stream stream);

// factor = min(1, max_norm / (norm + 1e-6))
void launch_flat_clip_factor(const ArrayView& norm,    // (1,) float64
                             const ArrayView& factor,  // (1,) float64
                             double max_norm, simt::Stream stream);

void launch_flat_scale(const ArrayView& x,       // (M,)
                       const ArrayView& factor,  // (1,) float64
                       simt::Stream stream);

void launch_flat_clamp(const ArrayView& x, double limit, simt::Stream stream);

void launch_flat_average(const ArrayView& x,        // (M,)
                         const ArrayView& average,  // (M,), float32 where x is half precision, else of x
                         double decay, simt::Stream stream);
