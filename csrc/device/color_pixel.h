// The adjustments of a pixel's colour: brightness, contrast, saturation, hue.
#pragma once

#include "device/image_values.h"
#include "device/rounded.h"

constexpr int kBrightness = 0, kContrast = 1, kSaturation = 2, kHue = 3, kSteps = 4;

template <class A>
__device__ __forceinline__ A nan_min(A a, A b) {
  return a < b || a != a ? a : b;
}

// The steps of one sample. Where an image has neither one nor three channels only brightness acts, on each value alone.
template <class A>
struct ColorSteps {
  const A* factors;            // (N, 4)
  const unsigned char* steps;  // (N, 4)
  bool grey;

  __device__ __forceinline__ int step(int place) const {
    const int step = steps[place];
    return step > kSteps || (!grey && step != kBrightness) ? kSteps : step;
  }
  __device__ __forceinline__ ColorSteps of_sample(std::int64_t sample) const {
    return {factors + sample * 4, steps + sample * 4, grey};
  }
  // How many steps stand before the contrast; kSteps where there is none.
  __device__ __forceinline__ int before_contrast() const {
    int before = 0;
    while (before < kSteps && step(before) != kContrast) before++;
    return before;
  }
};

// A pixel of C channels between two steps; C is 3, or 1, which is its own grey and has no hue.
template <class T, int C>
struct ColorPixel {
  using A = accumulate_t<T>;
  A values[C];

  ColorPixel() = default;
  __device__ __forceinline__ explicit ColorPixel(const T* pixel) {
#pragma unroll
    for (int c = 0; c < C; c++) values[c] = pixel_value(pixel[c]);
  }

  __device__ __forceinline__ A grey() const {
    if constexpr (C == 1) {
      return values[0];
    } else {
      const A red = product(values[0], A(0.2989)), green = product(values[1], A(0.587));
      const A grey = sum(sum(red, green), product(values[2], A(0.114)));
      return kWholePixels<T> ? rint(grey) : grey;
    }
  }

  // The first `count` steps. mean : of grey before the contrast.
  __device__ __forceinline__ void adjust(const ColorSteps<A>& steps, int count, A mean) {
    for (int k = 0; k < count; k++) {
      const int step = steps.step(k);
      adjust(step, steps.factors[step % kSteps], mean);
    }
  }

 private:
  __device__ __forceinline__ void adjust(int step, A factor, A mean) {
    if (step == kBrightness) {
#pragma unroll
      for (int c = 0; c < C; c++) values[c] = product(values[c], factor);
    } else if (step == kContrast) {
      blend(mean, factor);
    } else if (step == kSaturation) {
      blend(grey(), factor);
    } else if (step == kHue && C == 3) {
      turn(factor);
    } else {
      return;
    }
#pragma unroll
    for (int c = 0; c < C; c++) values[c] = settled(values[c]);
  }

  __device__ __forceinline__ static A settled(A value) {
    if constexpr (kWholePixels<T>) {
      return whole_pixel(value);
    } else {
      return clamp(value, A(0), A(1));
    }
  }

  __device__ __forceinline__ void blend(A other, A factor) {
    const A rest = product(difference(A(1), factor), other);
#pragma unroll
    for (int c = 0; c < C; c++) values[c] = sum(product(values[c], factor), rest);
  }

  __device__ __forceinline__ void turn(A factor) {
    const A red = values[0], green = values[C > 1 ? 1 : 0], blue = values[C > 2 ? 2 : 0];
    const A largest = nan_max(nan_max(red, green), blue);
    const A spread = difference(largest, nan_min(nan_min(red, green), blue));
    const A divisor = spread == 0 ? A(1) : spread;
    A hue = red == largest     ? difference(green, blue) / divisor
            : green == largest ? sum(difference(blue, red) / divisor, A(2))
                               : sum(difference(red, green) / divisor, A(4));
    hue = sum(hue, product(A(6), factor));
#pragma unroll
    for (int c = 0; c < C; c++) {
      const A place = sum(hue, A(5 - 2 * c));
      const A within = difference(place, product(floor(place / A(6)), A(6)));
      const A share = clamp(nan_min(difference(A(4), within), within), A(0), A(1));
      values[c] = difference(largest, product(share, spread));
    }
  }
};
