// Failures of CUDA as exceptions; `gpudl.CudaError` in Python.
#pragma once

#include <stdexcept>
#include <string>

struct CudaError : std::runtime_error {
  std::string expression, file, text;
  int line;
  CudaError(std::string expression_, std::string file_, int line_, std::string text_)
      : std::runtime_error(expression_ + " at " + file_ + ":" + std::to_string(line_) + ": " + text_),
        expression(std::move(expression_)),
        file(std::move(file_)),
        text(std::move(text_)),
        line(line_) {}
};

struct TypeError : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

// What a launcher refuses because CUDA has no such grid; the binding puts the operator's name before it.
struct TooLarge : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

#if defined(GPUDL_CUDA)
#include <cuda_runtime_api.h>

inline void check_cuda(cudaError_t status, const char* expression, const char* file, int line) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // the next call must not report it again
  throw CudaError(expression, file, line, std::string(cudaGetErrorName(status)) + ": " + cudaGetErrorString(status));
}
#define CHECK_CUDA(expression) check_cuda((expression), #expression, __FILE__, __LINE__)

// After every launch. Finds what is wrong with the launch itself; a fault inside the kernel shows at a later call.
#define CHECK_LAUNCH(name) check_cuda(cudaGetLastError(), "launch of " name, __FILE__, __LINE__)

#else
#include "simt/executor.h"

inline void check_launch(const char* expression, const char* file, int line) {
  const std::string text = simt::last_error();
  if (!text.empty()) throw CudaError(expression, file, line, text);
}
#define CHECK_LAUNCH(name) check_launch("launch of " name, __FILE__, __LINE__)

#endif
