// Pooling along one axis: which elements of x an output sees, and which outputs see an element of x.
#pragma once

#include "device/divisor.h"
#include "pool2d.h"
#include "simt/simt.h"

// Kernels unroll their loops over elements by this and allow ptxas the registers of one resident block: left alone,
// nvcc unrolls by four, and ptxas spills to keep an occupancy of its own choice.
constexpr int kElementsAtOnce = 2;

struct Range {
  int first, last;  // [first, last); empty where last <= first
};

__device__ __forceinline__ int window_start(const WindowAxis& axis, int p) { return p * axis.stride - axis.padding; }

// The r in [0, kernel) for which window_start(p) + r * dilation is an element of x.
__device__ __forceinline__ Range window_offsets(const WindowAxis& axis, int p) {
  const int start = window_start(axis, p);
  return {start < 0 ? (axis.dilation - 1 - start) / axis.dilation : 0,
          min(axis.kernel, (axis.size - 1 - start) / axis.dilation + 1)};
}

// The outputs whose windows reach over element i; with dilation some of them pass it over.
__device__ __forceinline__ Range window_outputs(const WindowAxis& axis, int i) {
  const int low = i + axis.padding - axis.dilation * (axis.kernel - 1);
  return {low > 0 ? (low - 1) / axis.stride + 1 : 0, min(axis.out, (i + axis.padding) / axis.stride + 1)};
}

// The r through which output p sees element i of its reach, or -1.
__device__ __forceinline__ int window_offset(const WindowAxis& axis, int p, int i) {
  const int distance = i - window_start(axis, p), r = distance / axis.dilation;
  return r * axis.dilation == distance ? r : -1;
}

// Bins of adaptive pooling: bin p of `out` over `size` elements is [floor(p size / out), ceil((p + 1) size / out)), so
// bins overlap where out does not divide size.
struct BinAxis {
  Divisor size, out;

  explicit BinAxis(const WindowAxis& axis) : size(axis.size), out(axis.out) {}

  __device__ __forceinline__ Range elements(int p) const { return overlapping(p, size, out); }
  // The bins that hold element i.
  __device__ __forceinline__ Range outputs(int i) const { return overlapping(i, out, size); }

 private:
  // Of a line cut into `others` parts, those that overlap with part `part` of `parts`.
  __device__ __forceinline__ static Range overlapping(int part, const Divisor& others, const Divisor& parts) {
    const std::int64_t start = std::int64_t(part) * others.value;
    return {int(parts.divide(start)), int(parts.divide(start + others.value - 1)) + 1};
  }
};
