// How often each class was taken for each class; counts are added to.
#pragma once

#include "array_view.h"
#include "simt/stream.h"

void launch_confusion_counts(const ArrayView& prediction,  // (M, C) scores, or (M,) int64 labels
                             const ArrayView& target,      // (M,) int64
                             const ArrayView& counts,      // (C, C) int64: true class, predicted class
                             bool ignores, std::int64_t ignore_index, simt::Stream stream);
