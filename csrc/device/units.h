// Copies that do not look at the numbers: memory in units of up to 16 bytes, whatever the dtype.
#pragma once

#include <cstdint>
#include <initializer_list>

#include "array_view.h"
#include "dispatch.h"

// The number of bytes that pointers and extents (in bytes) are all multiples of, at most 16.
inline std::int64_t common_unit(std::initializer_list<const void*> pointers,
                                std::initializer_list<std::int64_t> bytes) {
  std::uintptr_t places = 16;
  for (const void* pointer : pointers) places |= reinterpret_cast<std::uintptr_t>(pointer);
  for (std::int64_t extent : bytes) places |= static_cast<std::uintptr_t>(extent);
  return static_cast<std::int64_t>(places & (~places + 1));
}

// As `dispatch_float`, but calls `function` for the one of Units that has so many bytes.
template <class... Units, class Function>
void dispatch_unit(std::int64_t bytes, Function&& function) {
  const bool found = ((bytes == std::int64_t(sizeof(Units)) && (function(TypeTag<Units>{}), true)) || ...);
  if (!found) throw std::invalid_argument("no copy in units of " + std::to_string(bytes) + " bytes");
}

// For floating-point arrays: copies in the largest of these that fits.
template <class Function>
void dispatch_copy(std::int64_t bytes, Function&& function) {
  dispatch_unit<std::uint16_t, std::uint32_t, std::uint64_t, uint4>(bytes, function);
}
