// Channels-last images (N, H, W, C) in the hands of one thread: a group of channels of one pixel.
//
// A group is 16 bytes of T where C is a whole number of those and memory is aligned, else one element; so a kernel is a
// template over N = kVector<T> or 1, and its launcher asks `whole_groups`.
#pragma once

#include <type_traits>

#include "device/divisor.h"
#include "device/vector.h"
#include "dispatch.h"

// Groups of N channels of images of `rows` by `columns` pixels, counted in memory order.
struct PixelGroups {
  Divisor rows, columns, groups;

  PixelGroups(int rows_, int columns_, int channels, int N) : rows(rows_), columns(columns_), groups(channels / N) {}
};

template <int N>
struct PixelGroup {
  std::int64_t pixel, sample;
  int row, column, channel;  // channel: the first of the group

  __device__ __forceinline__ PixelGroup(const PixelGroups& grid, std::int64_t number) {
    pixel = grid.groups.divide(number);
    const std::int64_t line = grid.columns.divide(pixel);
    channel = int(number - pixel * grid.groups.value) * N;
    column = int(pixel - line * grid.columns.value);
    sample = grid.rows.divide(line);
    row = int(line - sample * grid.rows.value);
  }
};

// The unsigned integer or vector of `Bytes` bytes.
template <int Bytes>
struct Raw;
template <>
struct Raw<1> {
  using type = unsigned char;
};
template <>
struct Raw<2> {
  using type = unsigned short;
};
template <>
struct Raw<4> {
  using type = unsigned;
};
template <>
struct Raw<8> {
  using type = uint2;
};
template <>
struct Raw<16> {
  using type = uint4;
};

// items[j] = memory[j], in pieces of at most 16 bytes, to which `memory` is aligned.
template <int N, class Item>
__device__ __forceinline__ void load_items(Item (&items)[N], const Item* memory) {
  constexpr int kBytes = N * int(sizeof(Item)) < 16 ? N * int(sizeof(Item)) : 16, kItems = kBytes / int(sizeof(Item));
  using Piece = typename Raw<kBytes>::type;
#pragma unroll
  for (int i = 0; i < N / kItems; i++) {
    const Piece piece = reinterpret_cast<const Piece*>(memory)[i];
    memcpy(items + i * kItems, &piece, kBytes);
  }
}

template <int N, class Item>
__device__ __forceinline__ void store_items(Item* memory, const Item (&items)[N]) {
  constexpr int kBytes = N * int(sizeof(Item)) < 16 ? N * int(sizeof(Item)) : 16, kItems = kBytes / int(sizeof(Item));
  using Piece = typename Raw<kBytes>::type;
#pragma unroll
  for (int i = 0; i < N / kItems; i++) {
    Piece piece;
    memcpy(&piece, items + i * kItems, kBytes);
    reinterpret_cast<Piece*>(memory)[i] = piece;
  }
}

// A group, in the type to compute in.
template <int N, class T>
__device__ __forceinline__ void load_pixel(accumulate_t<T> (&values)[N], const T* memory) {
  T items[N];
  load_items(items, memory);
#pragma unroll
  for (int j = 0; j < N; j++) values[j] = widen(items[j]);
}

template <int N, class T>
__device__ __forceinline__ void store_pixel(T* memory, const accumulate_t<T> (&values)[N]) {
  T items[N];
#pragma unroll
  for (int j = 0; j < N; j++) items[j] = narrow<T>(values[j]);
  store_items(memory, items);
}

// Whether the channels are whole groups of 16 bytes of the dtype of the first array, and every array aligned to them.
template <class... Arrays>
bool whole_groups(std::int64_t channels, const ArrayView& first, const Arrays&... arrays) {
  return channels * dtype_bytes(first.dtype) % 16 == 0 && vector_aligned(first) && (vector_aligned(arrays) && ...);
}

// dispatch_float, and N as a second tag: function(TypeTag<T>, std::integral_constant<int, N>).
template <class Function>
void dispatch_groups(const ArrayView& array, bool whole, Function&& function) {
  dispatch_float(array.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    if (whole) {
      function(type, std::integral_constant<int, kVector<T>>{});
    } else {
      function(type, std::integral_constant<int, 1>{});
    }
  });
}
