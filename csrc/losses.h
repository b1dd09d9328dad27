// What the launchers of the losses over elements take.
#pragma once

#include "array_view.h"
#include "simt/stream.h"

struct LossForward {
  const ArrayView& prediction;  // (M,)
  const ArrayView& target;      // (M,)
  const ArrayView& loss;        // (M,) or null
  const ArrayView& value;       // (1,), where there is no loss: scale times the sum
  double scale;
  double* partials;  // loss_blocks(prediction) of them, null for one block
  simt::Stream stream;
};

struct LossBackward {
  const ArrayView& prediction;  // (M,)
  const ArrayView& target;      // (M,)
  const ArrayView& gradient;    // (M,) or (1,)
  const ArrayView& dx;          // (M,), scale times gradient times the derivative
  double scale;
  simt::Stream stream;
};

// Blocks that sum a loss: from the size alone, so that its tree is always the same. At least one.
std::int64_t loss_blocks(const ArrayView& prediction);
