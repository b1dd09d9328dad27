// The checks that handlers ask for.
#include "operator.h"

#include "errors.h"

const char* dtype_name(DType dtype) {
  switch (dtype) {
    case DType::float16:
      return "float16";
    case DType::bfloat16:
      return "bfloat16";
    case DType::float32:
      return "float32";
    case DType::float64:
      return "float64";
    case DType::uint8:
      return "uint8";
    case DType::uint16:
      return "uint16";
    case DType::int32:
      return "int32";
    case DType::int64:
      return "int64";
    case DType::uint32:
      return "uint32";
    case DType::uint64:
      return "uint64";
  }
  return "unknown";
}

std::int64_t dtype_bytes(DType dtype) {
  switch (dtype) {
    case DType::uint8:
      return 1;
    case DType::float16:
    case DType::bfloat16:
    case DType::uint16:
      return 2;
    case DType::float32:
    case DType::int32:
    case DType::uint32:
      return 4;
    default:
      return 8;
  }
}

namespace {

std::string shape_in_words(const std::vector<std::int64_t>& shape) {
  std::string words = "(";
  for (std::size_t i = 0; i < shape.size(); i++) words += (i ? ", " : "") + std::to_string(shape[i]);
  return words + (shape.size() == 1 ? ",)" : ")");
}

}  // namespace

void Call::refuse(const std::string& words) const {
  throw std::invalid_argument(std::string(operator_name()) + ": " + words);
}

void Call::refuse_type(const std::string& words) const {
  throw TypeError(std::string(operator_name()) + ": " + words);
}

void Call::require_dtype(const char* name, std::initializer_list<DType> allowed) const {
  std::string words;
  for (DType dtype : allowed) {
    if (array(name).dtype == dtype) return;
    words += (words.empty() ? "" : ", ") + std::string(dtype_name(dtype));
  }
  refuse_type(std::string(name) + " must be one of " + words + ", got " + dtype_name(array(name).dtype));
}

void Call::require_float(const char* name) const {
  require_dtype(name, {DType::float16, DType::bfloat16, DType::float32, DType::float64});
}

void Call::require_same_dtype(std::initializer_list<const char*> names) const {
  for (const char* name : names) {
    if (array(name).dtype == array(*names.begin()).dtype) continue;
    refuse_type(std::string(name) + " must have the dtype of " + *names.begin() + ", " +
                dtype_name(array(*names.begin()).dtype) + ", got " + dtype_name(array(name).dtype));
  }
}

void Call::require_shape(const char* name, const std::vector<std::int64_t>& expected, const char* why) const {
  if (array(name).shape == expected) return;
  refuse(std::string(name) + " must have shape " + shape_in_words(expected) + ", " + why + ", got " +
         shape_in_words(array(name).shape));
}

void Call::require_same_shape(std::initializer_list<const char*> names) const {
  const std::string why = std::string("that of ") + *names.begin();
  for (const char* name : names) require_shape(name, array(*names.begin()).shape, why.c_str());
}

void Call::require_rank(const char* name, std::size_t rank) const {
  if (array(name).shape.size() == rank) return;
  refuse(std::string(name) + " must have " + std::to_string(rank) + " axes, got shape " +
         shape_in_words(array(name).shape));
}

std::vector<std::int64_t> Call::integers(const char* name, std::int64_t low, std::int64_t high) const {
  const std::vector<std::int64_t>& values = integers(name);
  for (std::int64_t value : values) {
    if (value >= low && value <= high) continue;
    refuse(std::string(name) + " must be in [" + std::to_string(low) + ", " + std::to_string(high) + "], got " +
           std::to_string(value));
  }
  return values;
}

std::int64_t Call::integer(const char* name, std::int64_t low, std::int64_t high) const {
  return integers(name, low, high)[0];
}

int Call::choice(const char* name, std::initializer_list<const char*> allowed) const {
  std::string words;
  int place = 0;
  for (const char* candidate : allowed) {
    if (word(name) == candidate) return place;
    words += (place++ ? ", " : "") + std::string(candidate);
  }
  refuse(std::string(name) + " must be one of " + words + ", got " + word(name));
}
