"""Contenders for ReLU: a file of kernels, on the CPU executor and on a GPU; a CuPy kernel; a function of PyTorch.

gpudl bench relu_forward --with examples/bench/mine.py
"""

from pathlib import Path

import numpy as np

from gpudl import bench

kernels = bench.compile(Path(__file__).with_name("mine.cu"))


@bench.contender("relu_forward", name="mine.cu", difference="on the CPU: the CUDA kernel in the executor")
def mine(x):
    if x.dtype != np.float32:
        raise bench.UnsupportedError("float32 only")
    y = np.empty_like(x)  # an array of CuPy's for one of CuPy's
    kernels.launch_relu(bench.memory(x), bench.memory(y), x.size)
    return y


@bench.contender("relu_forward", name="RawKernel", devices=("cuda",), prepares=True)
def raw_kernel(x):
    import cupy

    if x.dtype != np.float32:
        raise bench.UnsupportedError("float32 only")
    source = """extern "C" __global__ void relu(const float* x, float* y, long long n) {
      const long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
      if (i < n) y[i] = fmaxf(x[i], 0.0f);
    }"""
    kernel, y = cupy.RawKernel(source, "relu"), cupy.empty_like(x)

    def call():
        kernel(((x.size + 255) // 256,), (256,), (x, y, np.int64(x.size)))
        return y

    return call


@bench.contender("relu_forward", name="torch.clamp", arrays="torch")
def clamp(x):
    return x.clamp(min=0)
