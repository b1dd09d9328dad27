"""Benchmarks: gpudl's kernels beside others, and beside what the machine can do at best.

`gpudl bench` runs them. A file given by `--with` registers contenders of its own::

    from gpudl import bench

    @bench.contender("relu_forward", name="mine")
    def mine(x):
        return my_relu(x)
"""

from gpudl.bench.contender import Prepared, UnsupportedError, contender
from gpudl.bench.kernels import compile, memory
from gpudl.bench.problem import Problem, Work, activations, operator

__all__ = [
    "Prepared", "Problem", "UnsupportedError", "Work", "activations", "compile", "contender", "memory", "operator",
]  # fmt: skip
