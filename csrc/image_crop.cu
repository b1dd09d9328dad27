// Crops and flips of images.
#include "image_crop.h"

#include "device/image_places.h"
#include "device/move_pixels.h"

// ---- launchers

void launch_image_crop(const ArrayView& x, const ArrayView& rows, const ArrayView& columns, const ArrayView& fill,
                       const ArrayView& y, const ImageShape& shape, simt::Stream stream) {
  const CropSource source{rows.as<const int>(), columns.as<const int>(), shape.rows, shape.columns};
  launch_move_pixels(x, fill, y, shape, source, stream);
  CHECK_LAUNCH("image_crop");
}
