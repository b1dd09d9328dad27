// From a dtype known at run time to a template argument, once.
//
// Problem: a kernel is a template over its element type T, and the binding knows a DType.
// Usage:   dispatch_float(x.dtype, [&](auto type) {
//            using T = typename decltype(type)::type;
//            simt::launch(config, relu_forward_kernel<T>, x.as<T>(), ...);
//          });
// Result:  the lambda is compiled for float16, bfloat16, float32 and float64 and called for the one that fits; any
// other
//          dtype throws, with its name.
#pragma once

#include "array_view.h"
#include "errors.h"
#include "simt/simt.h"

template <class T>
struct TypeTag {
  using type = T;
};

template <class Function>
void dispatch_float(DType dtype, Function&& function) {
  switch (dtype) {
    case DType::float16:
      return function(TypeTag<__half>{});
    case DType::bfloat16:
      return function(TypeTag<__nv_bfloat16>{});
    case DType::float32:
      return function(TypeTag<float>{});
    case DType::float64:
      return function(TypeTag<double>{});
    default:
      break;
  }
  throw TypeError(std::string("expected float16, bfloat16, float32 or float64, got ") + dtype_name(dtype));
}

constexpr int kThreads = 256;  // of a block of the elementwise kernels: eight blocks fill a multiprocessor's 2048

// A one-dimensional grid of `threads`, at least one, refused where CUDA has no such grid.
inline simt::LaunchConfig one_dimensional(std::int64_t threads, simt::Stream stream) {
  const std::int64_t blocks = ceil_div(threads, kThreads);
  if (blocks > 0x7fffffff) throw TooLarge("too many elements for one launch: " + std::to_string(threads));
  return {dim3(static_cast<unsigned>(blocks)), dim3(kThreads), 0, stream};
}
