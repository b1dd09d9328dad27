// The one header of a kernel file: CUDA itself under nvcc, the CPU executor's CUDA vocabulary under g++.
// Both give `simt::launch(config, kernel, arguments...)`, SHARED_MEMORY, DYNAMIC_SHARED_MEMORY and cp_async.
#pragma once

#if defined(__CUDACC__)
#include "cuda_launch.h"
#else
#include "vocabulary.h"
#endif
