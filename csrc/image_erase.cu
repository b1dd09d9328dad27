// Erased rectangles of images.
#include "image_erase.h"

#include "device/image_places.h"
#include "device/move_pixels.h"

// ---- kernels

namespace {

struct EraseSource {
  const int* edges;  // (N, 4)

  __device__ __forceinline__ PixelPlace operator()(std::int64_t sample, int row, int column) const {
    return is_erased(edges + sample * 4, row, column) ? PixelPlace{-1, -1} : PixelPlace{row, column};
  }
};

}  // namespace

// ---- launchers

void launch_image_erase(const ArrayView& x, const ArrayView& edges, const ArrayView& value, const ArrayView& y,
                        const ImageShape& shape, simt::Stream stream) {
  launch_move_pixels(x, value, y, shape, EraseSource{edges.as<const int>()}, stream);
  CHECK_LAUNCH("image_erase");
}
