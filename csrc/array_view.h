// An array as kernels see it: a pointer that has been checked, a dtype and a shape.
#pragma once

#include <cstdint>
#include <vector>

enum class DType { float16, bfloat16, float32, float64, uint8, uint16, int32, int64, uint32, uint64 };

const char* dtype_name(DType dtype);
std::int64_t dtype_bytes(DType dtype);

// Bytes of a number of the type that `dtype` is computed in.
inline std::int64_t accumulate_bytes(DType dtype) { return dtype == DType::float64 ? 8 : 4; }

// C-contiguous (or channels-last where its argument says so: the shape is still (N, C, ...)), aligned to its elements,
// on the device of the call. An argument that may be None has data null then.
struct ArrayView {
  void* data = nullptr;
  DType dtype = DType::float32;
  std::vector<std::int64_t> shape;
  std::int64_t size = 0;

  template <class T>
  T* as() const {
    return static_cast<T*>(data);
  }
};

// Whether vectors of 16 bytes may be loaded from it.
inline bool vector_aligned(const void* memory) { return reinterpret_cast<std::uintptr_t>(memory) % 16 == 0; }
inline bool vector_aligned(const ArrayView& array) { return vector_aligned(array.data); }

inline std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
