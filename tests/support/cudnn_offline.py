"""cuDNN's graphs where there is no GPU: built and planned for an H100 that cuDNN is told of in words.

`python -m tests.support.cudnn_offline`, in a process of its own, because its libcuda.so.1 has nothing behind its names.
Reads JSON lines {"operator", "arrays": {name: [shape, strides, dtype]}, "settings", "mode": {}, "build"} and answers each
by a line {"plans": names} or {"error": text}. build : also whether each plan can be built, which for batch norm asks a driver.
"""

import ctypes
import json
import subprocess
import sys
import tempfile
from pathlib import Path

# What the libraries of cuDNN want to find in the driver before they say anything. All fail with "no device".
DRIVER = """
cuCtxGetCurrent cuCtxGetLimit cuCtxPopCurrent cuCtxPushCurrent cuDeviceGet cuDeviceGetCount cuDriverGetVersion
cuGetErrorName cuGetErrorString cuKernelGetAttribute cuKernelGetFunction cuKernelSetAttribute
cuLaunchCooperativeKernel cuLaunchKernel cuLaunchKernelEx cuLibraryGetKernel cuLibraryLoadData cuLibraryLoadFromFile
cuLibraryUnload cuLinkAddData cuLinkComplete cuLinkCreate cuLinkDestroy cuModuleGetFunction cuModuleLoadData
cuModuleUnload cuOccupancyMaxPotentialClusterSize cuStreamGetCtx cuTensorMapEncodeIm2col cuTensorMapEncodeTiled
"""
H100 = {
    "deviceName": "NVIDIA H100 80GB HBM3", "deviceVer": 900, "driverVer": 13000, "cudaDeviceId": 0, "pciDeviceId": 9008,
    "multiProcessorCount": 132, "warpSize": 32, "maxGridSize": [2147483647, 65535, 65535],
    "maxBlockSize": [1024, 1024, 64], "maxThreadsPerBlock": 1024, "maxThreadsPerSM": 2048, "maxCtasPerSM": 32,
    "regsPerBlock": 65536, "maxRegistersPerSM": 65536, "maxSharedMemoryPerBlock": 49152,
    "maxSharedMemoryPerBlockOptin": 232448, "reservedSharedMemoryPerBlock": 1024, "oversizedSharedMemoryPerBlock": 0,
    "totalGlobalMem": 85_000_000_000, "l2CacheSize": 52_428_800, "memoryBusWidth": 5120,
    "smClockRateKHz": 1_980_000, "memClockRateKHz": 2_619_000, "isTccDriver": 0, "supportCoopLaunch": 1,
}  # fmt: skip


def load_driver(folder):
    """A libcuda.so.1 that knows of no device, so that what links to it can be loaded."""
    source, library = Path(folder, "cuda.c"), Path(folder, "libcuda.so.1")
    source.write_text("\n".join(f"int {name}(void) {{ return 100; }}" for name in DRIVER.split()))
    subprocess.run(["gcc", "-shared", "-fPIC", "-Wl,-soname,libcuda.so.1", source, "-o", library], check=True)
    ctypes.CDLL(str(library), ctypes.RTLD_GLOBAL)


def answer(request, cudnn, graphs, device):
    arrays = {
        name: graphs.Layout(*map(tuple, parts[:2]), parts[2]) for name, parts in request["arrays"].items()
    }
    operator, mode = request["operator"], graphs.Mode(**request["mode"])
    graph = graphs.Graph(cudnn, arrays[graphs.MAIN[operator]].dtype, device_property=device)
    if request["build"]:
        return list(graphs.built_plans(graph, operator, arrays, request["settings"], mode).built.values())
    graphs.OPERATORS[operator](graph, arrays, request["settings"])
    graph.plan(mode)
    return [graph.graph.get_plan_name_at_index(i) for i in range(graph.graph.get_execution_plan_count())]


def main():
    with tempfile.TemporaryDirectory() as folder:
        load_driver(folder)
        import cudnn

        from gpudl.bench import cudnn_graphs
        from gpudl.bench.contender import UnsupportedError

        device = cudnn.create_device_properties(json.dumps(H100))
        for line in sys.stdin:
            try:
                found = {"plans": answer(json.loads(line), cudnn, cudnn_graphs, device)}
            except UnsupportedError as error:
                found = {"error": str(error)}
            print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
