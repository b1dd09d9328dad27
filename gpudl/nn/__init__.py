"""Layers: parameters and mode over `gpudl.ops`. Names, arguments and defaults are PyTorch's."""

from gpudl.nn.container import Concat, Identity, ModuleList, Residual, Sequential
from gpudl.nn.linear import Linear
from gpudl.nn.module import IncompatibleKeys, Module
from gpudl.nn.parameter import Parameter

__all__ = [
    "Concat",
    "Identity",
    "IncompatibleKeys",
    "Linear",
    "Module",
    "ModuleList",
    "Parameter",
    "Residual",
    "Sequential",
]
