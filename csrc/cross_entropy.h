// Softmax and cross entropy in one pass, and what reduces and scales such losses.
#pragma once

#include "array_view.h"
#include "simt/stream.h"

void launch_cross_entropy_forward(const ArrayView& x,        // (M, C)
                                  const ArrayView& target,   // (M,) int64, or (M, C) probabilities
                                  const ArrayView& weight,   // (C,) or null
                                  const ArrayView& loss,     // (M,), type of the sums
                                  const ArrayView& counted,  // (M,), as loss
                                  const ArrayView& dx,       // (M, C) or null
                                  std::int64_t ignore_index, double label_smoothing, simt::Stream stream);

enum class Reduction { none, mean, sum };

// `partials`: two for each of loss_blocks(loss) blocks, null for one block.
void launch_loss_reduce(const ArrayView& loss,     // (M,)
                        const ArrayView& counted,  // (M,)
                        const ArrayView& value,    // (M,) or (1,)
                        const ArrayView& factor,   // (1,), as loss
                        Reduction reduction, double* partials, simt::Stream stream);

void launch_scale_rows(const ArrayView& gradient,  // (M,) or (1,)
                       const ArrayView& factor,    // (1,), type of the sums
                       const ArrayView& dx,        // (M, C)
                       simt::Stream stream);
