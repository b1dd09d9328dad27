// Which pixel of an image a pixel of its transform shows.
#pragma once

#include "device/image_values.h"
#include "device/rounded.h"

struct PixelPlace {
  int row, column;

  __device__ __forceinline__ bool inside(int height, int width) const {
    return row >= 0 && row < height && column >= 0 && column < width;
  }
};

// ---- crops and flips

struct CropSource {
  const int *rows, *columns;  // (N, P), (N, Q): the fill where one is -1
  int P, Q;

  __device__ __forceinline__ PixelPlace operator()(std::int64_t sample, int row, int column) const {
    return {rows[sample * P + row], columns[sample * Q + column]};
  }
};

// ---- affine maps

// One of the two coordinates in x of pixel (row, column) of y, cut to [-1, extent]; line : a row of the matrix.
__device__ __forceinline__ float affine_place(const float* line, int row, int column, bool whole, int extent) {
  float place = sum(sum(product(line[0], float(column)), product(line[1], float(row))), line[2]);
  if (whole) place = rint(place);
  return place > -1 ? min(place, float(extent)) : -1;  // NaN too lies outside
}

struct NearestSource {
  const float* matrices;  // (N, 2, 3)
  int height, width;

  __device__ __forceinline__ PixelPlace operator()(std::int64_t sample, int row, int column) const {
    const float* matrix = matrices + sample * 6;
    return {int(affine_place(matrix + 3, row, column, true, height)),
            int(affine_place(matrix, row, column, true, width))};
  }
};

// first + weight * (second - first), each operation rounded.
template <class A>
__device__ __forceinline__ A between(A first, A second, A weight) {
  return sum(product(difference(second, first), weight), first);
}

// The four pixels around a place: the first of them, and how far the place is from it.
template <class A>
struct FourNeighbours {
  PixelPlace first;
  A down, right;

  // Of pixel (row, column) of y in an image of height by width.
  __device__ __forceinline__ FourNeighbours(const float* matrix, int row, int column, int height, int width) {
    const float u = affine_place(matrix, row, column, false, width), left = floor(u);
    const float v = affine_place(matrix + 3, row, column, false, height), top = floor(v);
    first = {int(top), int(left)};
    down = A(v - top);
    right = A(u - left);
  }

  __device__ __forceinline__ PixelPlace neighbour(int below, int after) const {
    return {first.row + below, first.column + after};
  }

  // Between channel c of the pixels, pixels[k][l] being neighbour(k, l).
  template <class T>
  __device__ __forceinline__ A value(const T* const (&pixels)[2][2], int c) const {
    const A above = between<A>(pixel_value(pixels[0][0][c]), pixel_value(pixels[0][1][c]), right);
    const A below = between<A>(pixel_value(pixels[1][0][c]), pixel_value(pixels[1][1][c]), right);
    return between(above, below, down);
  }
};

// ---- erased rectangles

// edge : top, bottom, left, right.
__device__ __forceinline__ bool is_erased(const int* edge, int row, int column) {
  return row >= edge[0] && row < edge[1] && column >= edge[2] && column < edge[3];
}
