// The operands of a convolution as matrices, tile by tile: what multiply_tiles loads. Nothing is copied beforehand.
//
// kVectors: the channels and filters of a group are whole vectors of 16 bytes and memory is aligned to them. Else the
// same groups are loaded element by element.
#pragma once

#include "conv2d_shape.h"
#include "device/tile_product.h"

// How the pixels of a result look at an image (N, height, width, stride): tap (i, j) of pixel (n, p, q) is at row
// p * step_h + origin_h + i * tap_step_h, column likewise. The gradient of the data looks backwards: its taps step by
// less than 0. A group sees `channels` of the `stride` channels.
struct Window {
  std::int64_t stride;
  unsigned channels;
  int height, width;
  int rows, columns;  // of the result
  int step_h, step_w, origin_h, origin_w, tap_step_h, tap_step_w;
  int taps_h, taps_w;

  __host__ __device__ std::int64_t depth() const { return std::int64_t(taps_h) * taps_w * channels; }
};

// How y looks at x.
inline Window forward_window(const Conv2dShape& s) {
  Window window;
  window.stride = s.C;
  window.channels = unsigned(s.C / s.groups);
  window.height = int(s.H), window.width = int(s.W);
  window.rows = int(s.P), window.columns = int(s.Q);
  window.step_h = int(s.stride_h), window.step_w = int(s.stride_w);
  window.origin_h = -int(s.pad_h), window.origin_w = -int(s.pad_w);
  window.tap_step_h = int(s.dilation_h), window.tap_step_w = int(s.dilation_w);
  window.taps_h = int(s.R), window.taps_w = int(s.S);
  return window;
}

// Whether groups of 16 bytes fit into runs of `channels` elements.
template <class T>
bool whole_vectors(std::int64_t channels) {
  return channels % kVector<T> == 0;
}

// A place in a depth of (taps_h, taps_w, channels).
struct TapCursor {
  unsigned channel = 0;
  int tap_h = 0, tap_w = 0;

  __device__ __forceinline__ void advance(unsigned by, unsigned channels, int taps_w) {
    channel += by;
    if (channel < channels) return;
    tap_w += int(channel / channels);
    channel %= channels;
    if (tap_w < taps_w) return;
    tap_h += tap_w / taps_w;
    tap_w %= taps_w;
  }
  __device__ __forceinline__ void advance_by_one(unsigned channels, int taps_w) {
    if (++channel < channels) return;
    channel = 0;
    if (++tap_w < taps_w) return;
    tap_w = 0;
    tap_h++;
  }
};

// A pixel (n, p, q) of a result, in the order of memory.
struct PixelCursor {
  std::int64_t n = 0;
  int p = 0, q = 0;

  __device__ __forceinline__ PixelCursor() {}
  __device__ __forceinline__ PixelCursor(std::int64_t pixel, int rows, int columns) {
    const std::int64_t line = pixel / columns;
    q = int(pixel - line * columns);
    n = line / rows;
    p = int(line - n * rows);
  }
  __device__ __forceinline__ void advance(int by, int rows, int columns) {
    if (columns - q > by) {
      q += by;
      return;
    }
    by -= columns - q;
    p += 1 + by / columns;
    q = by % columns;
    if (p < rows) return;
    n += p / rows;
    p %= rows;
  }
};

// The element of an image that a tap of a pixel sees, null where that is beyond its edges. row and column are those of
// the pixel's tap (0, 0); the image's row 0 is row `image_row` of the batch.
template <class T>
__device__ __forceinline__ const T* seen(const T* images, const Window& window, std::int64_t image_row, int row,
                                         int column, const TapCursor& tap) {
  row += tap.tap_h * window.tap_step_h;
  column += tap.tap_w * window.tap_step_w;
  if (unsigned(row) >= unsigned(window.height) || unsigned(column) >= unsigned(window.width)) return nullptr;
  return images + ((image_row + row) * window.width + column) * window.stride + tap.channel;
}

// Row i is the window of pixel first + i, its depth (taps, channels).
template <class T, bool kVectors>
class WindowRows {
 public:
  using Layout = AlongDepth<T>;

  // `images` begins at the first channel of the group.
  __device__ WindowRows(const T* images, const Window& window, std::int64_t first, std::int64_t pixels)
      : images_(images), window_(window) {
    cursor_.advance(unsigned(Layout::depth()), window.channels, window.taps_w);
#pragma unroll
    for (int i = 0; i < kGroups; i++) {
      const std::int64_t pixel = first + Layout::place(i);
      const PixelCursor at(pixel < pixels ? pixel : 0, window.rows, window.columns);
      image_row_[i] = pixel < pixels ? at.n * window.height : -1;
      h_[i] = at.p * window.step_h + window.origin_h;
      w_[i] = at.q * window.step_w + window.origin_w;
    }
  }

  __device__ __forceinline__ void load(Groups<T>& groups, int steps) {
    if constexpr (kVectors) {
#pragma unroll
      for (int i = 0; i < kGroups; i++) {
        const T* element = find(i, cursor_, Layout::depth() < steps);
        load_vector(groups.values[i], element, element != nullptr);
      }
    } else {
      TapCursor tap = cursor_;
#pragma unroll
      for (int j = 0; j < kVector<T>; j++) {
#pragma unroll
        for (int i = 0; i < kGroups; i++) {
          const T* element = find(i, tap, Layout::depth() + j < steps);
          groups.values[i][j] = element != nullptr ? *element : narrow<T>(0);
        }
        tap.advance_by_one(window_.channels, window_.taps_w);
      }
    }
    cursor_.advance(kTileDepth, window_.channels, window_.taps_w);
  }

 private:
  static constexpr int kGroups = Groups<T>::kCount;

  __device__ __forceinline__ const T* find(int i, const TapCursor& tap, bool exists) const {
    return exists && image_row_[i] >= 0 ? seen(images_, window_, image_row_[i], h_[i], w_[i], tap) : nullptr;
  }

  const T* images_;
  const Window& window_;
  TapCursor cursor_;
  std::int64_t image_row_[kGroups];
  int h_[kGroups], w_[kGroups];
};

// Column i is filter first + i, its depth that of its memory.
template <class T, bool kVectors>
class FilterRows {
 public:
  using Layout = AlongDepth<T>;

  // `filters` begins at the first filter of the group, of which there are `count`.
  __device__ FilterRows(const T* filters, std::int64_t depth, std::int64_t first, std::int64_t count)
      : filters_(filters + Layout::depth()) {
#pragma unroll
    for (int i = 0; i < kGroups; i++) {
      const std::int64_t filter = first + Layout::place(i);
      offset_[i] = filter < count ? filter * depth : -1;
    }
  }

  __device__ __forceinline__ void load(Groups<T>& groups, int steps) {
#pragma unroll
    for (int i = 0; i < kGroups; i++) {
      if constexpr (kVectors) {
        load_vector(groups.values[i], filters_ + offset_[i], offset_[i] >= 0 && Layout::depth() < steps);
      } else {
#pragma unroll
        for (int j = 0; j < kVector<T>; j++) {
          const bool exists = offset_[i] >= 0 && Layout::depth() + j < steps;
          groups.values[i][j] = exists ? filters_[offset_[i] + j] : narrow<T>(0);
        }
      }
    }
    filters_ += kTileDepth;
  }

 private:
  static constexpr int kGroups = Groups<T>::kCount;

  const T* filters_;
  std::int64_t offset_[kGroups];  // of each filter, -1 where there is none
};

// A group of consecutive columns, of which `left` exist; 0 beyond.
template <bool kVectors, class T>
__device__ __forceinline__ void load_columns(T (&values)[kVector<T>], const T* memory, int left) {
  if constexpr (kVectors) {
    load_vector(values, memory, left > 0);
  } else {
#pragma unroll
    for (int j = 0; j < kVector<T>; j++) values[j] = j < left ? memory[j] : narrow<T>(0);
  }
}

// Of `columns`, how many exist from the thread's first on; at most those of a tile.
__device__ __forceinline__ int columns_left(std::int64_t first, std::int64_t columns) {
  return int(min(columns - first, std::int64_t(kTileExtent)));
}

// The taps that pixels of one phase of the stride meet, of a filter (R, S, channels).
struct PhaseTaps {
  int R, S;
  int first_h, first_w, step_h, step_w;
};

// Column i is channel first + i of the filters, the depth (taps of a phase, filters).
template <class T, bool kVectors>
class FilterColumns {
 public:
  using Layout = AcrossDepth<T>;

  // `filters` begins at the first filter of the group; the window is that of their taps and filters.
  __device__ FilterColumns(const T* filters, const Window& window, const PhaseTaps& taps, std::int64_t first,
                           std::int64_t channels)
      : filters_(filters + first + Layout::place()),
        window_(window),
        taps_(taps),
        channels_(channels),
        columns_left_(columns_left(first + Layout::place(), channels)) {
#pragma unroll
    for (int i = 0; i < kGroups; i++) cursors_[i].advance(unsigned(Layout::depth(i)), window.channels, window.taps_w);
  }

  __device__ __forceinline__ void load(Groups<T>& groups, int steps) {
#pragma unroll
    for (int i = 0; i < kGroups; i++) {
      const bool exists = Layout::depth(i) < steps;
      load_columns<kVectors>(groups.values[i], exists ? find(cursors_[i]) : filters_, exists ? columns_left_ : 0);
      cursors_[i].advance(kTileDepth, window_.channels, window_.taps_w);
    }
  }

 private:
  static constexpr int kGroups = Groups<T>::kCount;

  __device__ __forceinline__ const T* find(const TapCursor& tap) const {
    const int r = taps_.first_h + tap.tap_h * taps_.step_h, s = taps_.first_w + tap.tap_w * taps_.step_w;
    return filters_ + ((std::int64_t(tap.channel) * taps_.R + r) * taps_.S + s) * channels_;
  }

  const T* filters_;
  const Window& window_;
  const PhaseTaps& taps_;
  std::int64_t channels_;
  int columns_left_;
  TapCursor cursors_[kGroups];
};

// Column i is channel first + i of a gradient, the depth its pixels from `begin` on.
template <class T, bool kVectors>
class PixelColumns {
 public:
  using Layout = AcrossDepth<T>;

  // `pixels` begins at the first of the group's `columns` channels; the next pixel is `stride` elements on.
  __device__ PixelColumns(const T* pixels, std::int64_t stride, std::int64_t begin, std::int64_t first,
                          std::int64_t columns)
      : pixels_(pixels + begin * stride + first + Layout::place()),
        stride_(stride),
        columns_left_(columns_left(first + Layout::place(), columns)) {}

  __device__ __forceinline__ void load(Groups<T>& groups, int steps) {
#pragma unroll
    for (int i = 0; i < Groups<T>::kCount; i++) {
      const int depth = Layout::depth(i);
      load_columns<kVectors>(groups.values[i], pixels_ + depth * stride_, depth < steps ? columns_left_ : 0);
    }
    pixels_ += kTileDepth * stride_;
  }

 private:
  const T* pixels_;
  std::int64_t stride_;
  int columns_left_;
};

// Column i is place first + i of the window (taps, channels), the depth the pixels from `begin` on that look
// through it.
template <class T, bool kVectors>
class WindowColumns {
 public:
  using Layout = AcrossDepth<T>;

  // `images` begins at the first channel of the group.
  __device__ WindowColumns(const T* images, const Window& window, std::int64_t begin, std::int64_t first)
      : images_(images), window_(window) {
    const std::int64_t column = first + Layout::place(), tap = column / window.channels;
    columns_left_ = columns_left(column, window.depth());
    tap_.channel = unsigned(column - tap * window.channels);
    tap_.tap_h = int(tap / window.taps_w);
    tap_.tap_w = int(tap % window.taps_w);
#pragma unroll
    for (int i = 0; i < kGroups; i++) pixels_[i] = PixelCursor(begin + Layout::depth(i), window.rows, window.columns);
  }

  __device__ __forceinline__ void load(Groups<T>& groups, int steps) {
    if constexpr (kVectors) {
#pragma unroll
      for (int i = 0; i < kGroups; i++) {
        const T* element = find(i, tap_, Layout::depth(i) < steps && columns_left_ > 0);
        load_vector(groups.values[i], element, element != nullptr);
      }
    } else {
      TapCursor tap = tap_;
#pragma unroll
      for (int j = 0; j < kVector<T>; j++) {
#pragma unroll
        for (int i = 0; i < kGroups; i++) {
          const T* element = find(i, tap, Layout::depth(i) < steps && j < columns_left_);
          groups.values[i][j] = element != nullptr ? *element : narrow<T>(0);
        }
        tap.advance_by_one(window_.channels, window_.taps_w);
      }
    }
#pragma unroll
    for (int i = 0; i < kGroups; i++) pixels_[i].advance(kTileDepth, window_.rows, window_.columns);
  }

 private:
  static constexpr int kGroups = Groups<T>::kCount;

  __device__ __forceinline__ const T* find(int i, const TapCursor& tap, bool exists) const {
    if (!exists) return nullptr;
    const PixelCursor& at = pixels_[i];
    return seen(images_, window_, at.n * window_.height, at.p * window_.step_h + window_.origin_h,
                at.q * window_.step_w + window_.origin_w, tap);
  }

  const T* images_;
  const Window& window_;
  int columns_left_;
  TapCursor tap_;
  PixelCursor pixels_[kGroups];
};
