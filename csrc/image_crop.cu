// Crops and flips of images.
#include "image_crop.h"

#include "device/move_pixels.h"

// ---- kernels

namespace {

struct CropSource {
  const int *rows, *columns;  // (N, P), (N, Q)
  int P, Q;

  __device__ __forceinline__ PixelPlace operator()(std::int64_t sample, int row, int column) const {
    return {rows[sample * P + row], columns[sample * Q + column]};
  }
};

}  // namespace

// ---- launchers

void launch_image_crop(const ArrayView& x, const ArrayView& rows, const ArrayView& columns, const ArrayView& fill,
                       const ArrayView& y, const ImageShape& shape, simt::Stream stream) {
  const CropSource source{rows.as<const int>(), columns.as<const int>(), shape.rows, shape.columns};
  launch_move_pixels(x, fill, y, shape, source, stream);
  CHECK_LAUNCH("image_crop");
}
