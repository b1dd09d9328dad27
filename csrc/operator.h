// How an operator is bound: its arguments in order, as data, and a handler that finds them checked.
//
// The checks are written once (array_from_python.cpp), so a handler only says what the shapes must be, and a *_bind.cpp
// compiles in a fraction of the second that pybind11's headers take.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "array_view.h"
#include "simt/stream.h"

enum class Access {
  read,
  write,   // every element is written, what was there is not read
  update,  // read and written
};

enum Traits : unsigned {
  kOptional = 1,      // may be None
  kList = 2,          // a list of arrays
  kChannelsLast = 4,  // (N, C, ...) whose memory is (N, ..., C), C-contiguous
};

struct ArrayArgument {
  const char* name;
  Access access;
  unsigned traits = 0;  // of Traits
};

enum class NumberKind {
  real,     // double; `count` must be 1
  counter,  // an int in [0, 2^64)
  integer,  // an int in [-2^63, 2^63), or a tuple of `count` of them
  word,     // a str
};
struct NumberArgument {
  const char* name;
  NumberKind kind;
  std::size_t count = 1;
  bool optional = false;  // may be None
};

// The arguments of one call. Every `require` throws ValueError or TypeError naming operator, argument, expected and
// got.
class Call {
 public:
  virtual ~Call() = default;
  virtual const ArrayView& array(const char* name) const = 0;
  virtual const std::vector<ArrayView>& arrays(const char* name) const = 0;  // of a list
  virtual bool given(const char* name) const = 0;  // false for an optional array or number that is None
  virtual double real(const char* name) const = 0;
  virtual std::uint64_t counter(const char* name) const = 0;
  virtual const std::vector<std::int64_t>& integers(const char* name) const = 0;  // `count` of them
  virtual const std::string& word(const char* name) const = 0;
  virtual simt::Stream stream() const = 0;
  // Device memory for intermediate results, aligned to 256 bytes, until the work of this call on the stream is done.
  // What it holds is undefined. Null for 0 bytes.
  virtual void* scratch(std::size_t bytes) const = 0;

  void require_dtype(const char* name, std::initializer_list<DType> allowed) const;
  void require_float(const char* name) const;
  void require_same_dtype(std::initializer_list<const char*> names) const;
  void require_shape(const char* name, const std::vector<std::int64_t>& expected, const char* why) const;
  void require_same_shape(std::initializer_list<const char*> names) const;
  void require_rank(const char* name, std::size_t rank) const;
  // The number, which must be given, at least `low` and at most `high`; of a tuple, each.
  std::int64_t integer(const char* name, std::int64_t low, std::int64_t high) const;
  std::vector<std::int64_t> integers(const char* name, std::int64_t low, std::int64_t high) const;
  // The place of the word among `allowed`.
  int choice(const char* name, std::initializer_list<const char*> allowed) const;
  [[noreturn]] void refuse(const std::string& words) const;       // ValueError
  [[noreturn]] void refuse_type(const std::string& words) const;  // TypeError

 protected:
  virtual const char* operator_name() const = 0;
};

struct Operator {
  const char* name;
  std::vector<ArrayArgument> arrays;
  std::vector<NumberArgument> numbers;
  void (*run)(const Call& call);
};

using Operators = std::vector<Operator>;
