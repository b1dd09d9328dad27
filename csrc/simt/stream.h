// The stream of a launch, for files that see neither CUDA's headers nor the executor.
#pragma once

struct CUstream_st;

namespace simt {
#if defined(GPUDL_CUDA) || defined(__CUDACC__)
using Stream = CUstream_st*;
#else
using Stream = void*;
#endif
}  // namespace simt
