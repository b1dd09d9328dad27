// Python objects as checked arrays, numbers and the stream of one call.
//
// Nothing of an array is believed: kind of memory, dtype, shape, strides, alignment and the right to write are checked
// before its pointer is used, so a wrong call raises and never crashes.
#include "array_from_python.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <map>
#include <memory>
#include <new>
#include <numeric>

#include <pybind11/stl.h>

#include "errors.h"

namespace py = pybind11;

namespace {

// What an array says of itself, from whichever protocol it speaks.
struct Described {
  std::uintptr_t data = 0;
  std::string type;  // as NumPy's typestr, e.g. "<f4"; "bfloat16" for that
  std::vector<std::int64_t> shape;
  std::vector<std::int64_t> strides;  // empty where contiguous
  bool read_only = false;
};

std::vector<std::int64_t> integers(const py::handle& values) {
  std::vector<std::int64_t> result;
  for (const py::handle& value : values) result.push_back(py::cast<std::int64_t>(value));
  return result;
}

Described from_interface(const py::object& array, const py::dict& interface) {
  Described described;
  described.type = py::cast<std::string>(interface["typestr"]);
  described.shape = integers(interface["shape"]);
  const auto data = py::cast<py::tuple>(interface["data"]);
  described.data = py::cast<std::uintptr_t>(data[0]);
  described.read_only = py::cast<bool>(data[1]);
  if (interface.contains("strides") && !interface["strides"].is_none()) {
    described.strides = integers(interface["strides"]);
    if (described.strides.size() != described.shape.size()) throw py::value_error("as many strides as axes");
  }
  if (interface.contains("mask") && !interface["mask"].is_none())
    throw py::value_error("masked arrays are not supported");
  // NumPy knows no bfloat16 of its own: ml_dtypes' arrays call it two raw bytes, and only the dtype has the name.
  if (described.type.size() == 3 && described.type.substr(1) == "V2" &&
      py::cast<std::string>(py::str(array.attr("dtype"))) == "bfloat16") {
    described.type = "bfloat16";
  }
  return described;
}

#if !defined(GPUDL_CUDA)
Described from_buffer(const py::object& array) {
  const py::buffer_info info = py::reinterpret_borrow<py::buffer>(array).request();
  Described described;
  described.data = reinterpret_cast<std::uintptr_t>(info.ptr);
  described.shape.assign(info.shape.begin(), info.shape.end());
  described.strides.assign(info.strides.begin(), info.strides.end());
  described.read_only = info.readonly;
  // One number in the byte order of this machine, and not several, nor the real and imaginary part of one.
  const bool prefixed = info.format.size() == 2 && std::strchr("@=<", info.format[0]);
  const char kind = info.format.size() == 1 || prefixed ? info.format.back() : '?';
  const char letter = std::strchr("efd", kind)     ? 'f'
                      : std::strchr("bhilq", kind) ? 'i'
                      : std::strchr("BHILQ", kind) ? 'u'
                                                   : '?';
  described.type = letter == '?' ? info.format : std::string("<") + letter + std::to_string(info.itemsize);
  return described;
}
#endif

Described describe(const py::object& array) {
#if defined(GPUDL_CUDA)
  if (py::hasattr(array, "__cuda_array_interface__")) {
    return from_interface(array, array.attr("__cuda_array_interface__"));
  }
#else
  if (py::hasattr(array, "__array_interface__")) return from_interface(array, array.attr("__array_interface__"));
  if (PyObject_CheckBuffer(array.ptr())) return from_buffer(array);
#endif
  throw py::type_error("not an array");
}

DType dtype_from(const std::string& type) {
  static const std::map<std::string, DType> known = {
      {"<f2", DType::float16}, {"bfloat16", DType::bfloat16}, {"<f4", DType::float32}, {"<f8", DType::float64},
      {"|u1", DType::uint8},   {"<u1", DType::uint8},         {"<u2", DType::uint16},  {"<i4", DType::int32},
      {"<i8", DType::int64},   {"<u4", DType::uint32},        {"<u8", DType::uint64}};
  const auto found = known.find(type);
  if (found == known.end()) throw TypeError("dtype " + type + " is not supported");
  return found->second;
}

std::int64_t size_of(const std::vector<std::int64_t>& shape, std::int64_t item) {
  std::int64_t size = 1;
  bool empty = false;
  for (std::int64_t extent : shape) {
    if (extent < 0) throw std::invalid_argument("has a negative extent");
    empty = empty || extent == 0;
  }
  if (empty) return 0;
  for (std::int64_t extent : shape) {
    if (size > std::numeric_limits<std::int64_t>::max() / item / extent)
      throw std::invalid_argument("has too large a shape");
    size *= extent;
  }
  return size;
}

std::vector<std::int64_t> strides_of(const Described& described, std::int64_t item) {
  if (!described.strides.empty()) return described.strides;
  std::vector<std::int64_t> strides(described.shape.size());
  for (std::size_t axis = strides.size(); axis-- > 0; item *= described.shape[axis]) strides[axis] = item;
  return strides;
}

// In memory the last axis comes last, or axis 1 does.
void check_contiguous(const Described& described, std::int64_t size, std::int64_t item, bool channels_last) {
  if (size == 0) return;
  std::vector<std::size_t> order(described.shape.size());
  std::iota(order.begin(), order.end(), std::size_t(0));
  if (channels_last) {
    if (order.size() < 2) throw std::invalid_argument("must have two axes or more");
    std::rotate(order.begin() + 1, order.begin() + 2, order.end());
  } else if (described.strides.empty()) {
    return;
  }
  const std::vector<std::int64_t> strides = strides_of(described, item);
  std::int64_t expected = item;
  for (std::size_t i = order.size(); i-- > 0;) {
    const std::size_t axis = order[i];
    if (described.shape[axis] != 1 && strides[axis] != expected) {
      throw std::invalid_argument(channels_last ? "must be channels-last in memory" : "must be C-contiguous");
    }
    expected *= described.shape[axis];
  }
}

ArrayView checked_view(const Described& described, bool writes, bool channels_last) {
  ArrayView view;
  view.dtype = dtype_from(described.type);
  view.shape = described.shape;
  const std::int64_t item = dtype_bytes(view.dtype);
  view.size = size_of(view.shape, item);
  check_contiguous(described, view.size, item, channels_last);
  if (view.size && !described.data) throw std::invalid_argument("has no memory");
  if (view.size && described.data % static_cast<std::uintptr_t>(item))
    throw std::invalid_argument("must be aligned to its elements");
  if (writes && described.read_only) throw std::invalid_argument("must be writeable, got a read-only array");
  view.data = reinterpret_cast<void*>(described.data);
  return view;
}

#if defined(GPUDL_CUDA)

int device_of(const void* pointer) {
  cudaPointerAttributes attributes{};
  CHECK_CUDA(cudaPointerGetAttributes(&attributes, pointer));
  if (attributes.type != cudaMemoryTypeDevice && attributes.type != cudaMemoryTypeManaged) {
    throw std::invalid_argument("must lie in the memory of a GPU");
  }
  return attributes.device;
}

// Makes a device current for as long as it lives.
class DeviceGuard {
 public:
  void enter(int device) {
    CHECK_CUDA(cudaGetDevice(&before_));
    entered_ = device != before_;
    if (entered_) CHECK_CUDA(cudaSetDevice(device));
  }
  ~DeviceGuard() {
    if (entered_) cudaSetDevice(before_);
  }

 private:
  int before_ = 0;
  bool entered_ = false;
};

#else

constexpr std::align_val_t kScratchAlignment{256};

struct FreeScratch {
  void operator()(void* memory) const { ::operator delete(memory, kScratchAlignment); }
};

// Memory that kernels may touch until this dies, also where a later argument is refused.
class Registrations {
 public:
  Registrations() = default;
  Registrations(const Registrations&) = delete;
  Registrations& operator=(const Registrations&) = delete;
  ~Registrations() {
    for (const void* data : registered_) simt::forget_buffer(data);
  }
  void add(const void* data, std::size_t bytes, const char* name, simt::BufferUse use) {
    simt::register_buffer(data, bytes, name, use);
    registered_.push_back(data);
  }

 private:
  std::vector<const void*> registered_;
};

#endif

class PythonCall final : public Call {
 public:
  PythonCall(const Operator& op, const py::args& arguments, const py::kwargs& named) : op_(op) {
    if (arguments.size() > op.arrays.size()) {
      throw TypeError(std::string(op.name) + ": takes " + std::to_string(op.arrays.size()) + " arrays, got " +
                      std::to_string(arguments.size()));
    }
    for (const auto& item : named) check_known(py::cast<std::string>(item.first), arguments.size());
    for (std::size_t i = 0; i < op.arrays.size(); i++) take_array(i, arguments, named);
    for (const NumberArgument& number : op.numbers) take_number(number, named);
    enter_device();
  }

  const ArrayView& array(const char* name) const override { return arrays(name).front(); }
  const std::vector<ArrayView>& arrays(const char* name) const override { return arrays_.at(name); }
  bool given(const char* name) const override { return given_.at(name); }
  double real(const char* name) const override { return reals_.at(name); }
  std::uint64_t counter(const char* name) const override { return counters_.at(name); }
  const std::vector<std::int64_t>& integers(const char* name) const override { return integers_.at(name); }
  const std::string& word(const char* name) const override { return words_.at(name); }
  simt::Stream stream() const override { return stream_; }

  void* scratch(std::size_t bytes) const override {
    if (bytes == 0) return nullptr;
#if defined(GPUDL_CUDA)
    // From CuPy's pool, which gives it out again only to work that is ordered after this call's.
    kept_.push_back(py::module_::import("cupy").attr("empty")(bytes, "uint8"));
    return reinterpret_cast<void*>(py::cast<std::uintptr_t>(kept_.back().attr("data").attr("ptr")));
#else
    scratch_.emplace_back(::operator new(bytes, kScratchAlignment));
    registrations_.add(scratch_.back().get(), bytes, "scratch", simt::BufferUse::write);
    return scratch_.back().get();
#endif
  }

 protected:
  const char* operator_name() const override { return op_.name; }

 private:
  void check_known(const std::string& name, std::size_t positional) const {
    for (std::size_t i = 0; i < op_.arrays.size(); i++) {
      if (name != op_.arrays[i].name) continue;
      if (i < positional) throw TypeError(std::string(op_.name) + ": " + name + " is given twice");
      return;
    }
    for (const NumberArgument& number : op_.numbers) {
      if (name == number.name) return;
    }
    throw TypeError(std::string(op_.name) + ": there is no argument " + name);
  }

  void take_array(std::size_t i, const py::args& arguments, const py::kwargs& named) {
    const ArrayArgument& argument = op_.arrays[i];
    py::object object;
    if (i < arguments.size()) {
      object = arguments[i];
    } else if (named.contains(argument.name)) {
      object = named[argument.name];
    } else {
      throw TypeError(std::string(op_.name) + ": " + argument.name + " is missing");
    }
    const bool given = !object.is_none() || !(argument.traits & kOptional);
    given_[argument.name] = given;
    std::vector<ArrayView>& views = arrays_[argument.name];
    if (!given) {
      views.emplace_back();
      return;
    }
    try {
      if (!(argument.traits & kList)) {
        views.push_back(checked_argument(argument, argument.name, object));
        return;
      }
      // Not whatever can be iterated: an array may claim 2^40 elements.
      if (!py::isinstance<py::list>(object)) throw py::type_error("not a list");
      for (const py::handle& item : py::cast<py::list>(object)) {
        const std::string name = argument.name + ("[" + std::to_string(views.size()) + "]");
        views.push_back(checked_argument(argument, name, py::reinterpret_borrow<py::object>(item)));
      }
    } catch (const TypeError& error) {
      throw TypeError(std::string(op_.name) + ": " + argument.name + ": " + error.what());
    } catch (const std::invalid_argument& error) {
      throw std::invalid_argument(std::string(op_.name) + ": " + argument.name + " " + error.what());
    } catch (const py::value_error& error) {
      throw std::invalid_argument(std::string(op_.name) + ": " + argument.name + ": " + error.what());
    } catch (const py::builtin_exception&) {
      throw TypeError(not_an_array(argument, object));
    } catch (const py::error_already_set&) {
      throw TypeError(not_an_array(argument, object));
    }
  }

  // name: as the checks call its memory; of a list, each has one of its own.
  ArrayView checked_argument(const ArrayArgument& argument, const std::string& name, const py::object& object) {
    const bool writes = argument.access == Access::write || argument.access == Access::update;
    const ArrayView view =
        checked_view(describe(object), writes, argument.traits & kChannelsLast);
    note_memory(argument, name, view);
    return view;
  }

  std::string not_an_array(const ArrayArgument& argument, const py::object& object) const {
    const char* expected = argument.traits & kList ? " must be a list of arrays" : " must be an array";
    return std::string(op_.name) + ": " + argument.name + expected + " of this device, got " +
           Py_TYPE(object.ptr())->tp_name;
  }

  void take_number(const NumberArgument& number, const py::kwargs& named) {
    if (!named.contains(number.name)) throw TypeError(std::string(op_.name) + ": " + number.name + " is missing");
    const py::object value = named[number.name];
    given_[number.name] = !value.is_none() || !number.optional;
    if (!given_[number.name]) return;
    try {
      switch (number.kind) {
        case NumberKind::real:
          reals_[number.name] = py::cast<double>(value);
          return;
        case NumberKind::counter:
          counters_[number.name] = py::cast<std::uint64_t>(value);
          return;
        case NumberKind::integer:
          integers_[number.name] = integers_from(number, value);
          return;
        case NumberKind::word:
          words_[number.name] = py::cast<std::string>(value);
          return;
      }
    } catch (const py::cast_error&) {
      throw TypeError(std::string(op_.name) + ": " + number.name + " must be " + in_words(number) + ", got " +
                      py::cast<std::string>(py::repr(value)));
    }
  }

  static std::vector<std::int64_t> integers_from(const NumberArgument& number, const py::object& value) {
    if (number.count == 1) return {py::cast<std::int64_t>(value)};
    const auto values = py::cast<std::vector<std::int64_t> >(value);
    if (values.size() != number.count) throw py::cast_error();
    return values;
  }

  static std::string in_words(const NumberArgument& number) {
    switch (number.kind) {
      case NumberKind::real:
        return "a float";
      case NumberKind::counter:
        return "an int in [0, 2^64)";
      case NumberKind::integer:
        return (number.count == 1 ? "an int" : std::to_string(number.count) + " ints") + std::string(" in [-2^63, 2^63)");
      case NumberKind::word:
        return "a str";
    }
    return "";
  }

  void note_memory([[maybe_unused]] const ArrayArgument& argument, [[maybe_unused]] const std::string& name,
                   const ArrayView& view) {
    if (view.size == 0) return;
#if defined(GPUDL_CUDA)
    const int device = device_of(view.data);
    if (device_ >= 0 && device != device_) throw std::invalid_argument("must be on the device of the other arrays");
    device_ = device;
#else
    const simt::BufferUse use = argument.access == Access::read    ? simt::BufferUse::read
                                : argument.access == Access::write ? simt::BufferUse::write
                                                                   : simt::BufferUse::update;
    registrations_.add(view.data, static_cast<std::size_t>(view.size * dtype_bytes(view.dtype)), name.c_str(), use);
#endif
  }

  void enter_device() {
#if defined(GPUDL_CUDA)
    if (device_ < 0) return;  // nothing to launch
    guard_.enter(device_);
    const py::object stream = py::module_::import("cupy.cuda").attr("get_current_stream")();
    stream_ = reinterpret_cast<simt::Stream>(py::cast<std::uintptr_t>(stream.attr("ptr")));
#endif
  }

  const Operator& op_;
  std::map<std::string, std::vector<ArrayView> > arrays_;
  std::map<std::string, bool> given_;
  std::map<std::string, double> reals_;
  std::map<std::string, std::uint64_t> counters_;
  std::map<std::string, std::vector<std::int64_t> > integers_;
  std::map<std::string, std::string> words_;
  simt::Stream stream_ = nullptr;
#if defined(GPUDL_CUDA)
  int device_ = -1;
  DeviceGuard guard_;
  mutable std::vector<py::object> kept_;
#else
  mutable std::vector<std::unique_ptr<void, FreeScratch> > scratch_;
  mutable Registrations registrations_;
#endif
};

}  // namespace

void call_operator(const Operator& op, const py::args& arguments, const py::kwargs& named) {
  const PythonCall call(op, arguments, named);
  try {
    op.run(call);
  } catch (const TooLarge& error) {
    throw std::invalid_argument(std::string(op.name) + ": " + error.what());
  }
}

py::object signature_of(const Operator& op) {
  const py::module_ inspect = py::module_::import("inspect");
  const py::object parameter = inspect.attr("Parameter");
  py::list parameters;
  for (const ArrayArgument& array : op.arrays)
    parameters.append(parameter(array.name, parameter.attr("POSITIONAL_OR_KEYWORD")));
  for (const NumberArgument& number : op.numbers)
    parameters.append(parameter(number.name, parameter.attr("KEYWORD_ONLY")));
  return inspect.attr("Signature")(parameters);
}
