"""Layers: parameters and mode over `gpudl.ops`. Names, arguments and defaults are PyTorch's."""

from gpudl.nn.container import (
    Concat,
    Identity,
    ModuleList,
    Residual,
    Sequential,
)
from gpudl.nn.conv1d import Conv1d
from gpudl.nn.conv2d import Conv2d
from gpudl.nn.conv_transpose2d import ConvTranspose2d
from gpudl.nn.dropout import Dropout, Dropout2d
from gpudl.nn.flatten import Flatten
from gpudl.nn.gaussian_noise import GaussianNoise
from gpudl.nn.linear import Linear
from gpudl.nn.module import IncompatibleKeys, Module
from gpudl.nn.parameter import Parameter
from gpudl.nn.relu import ReLU
from gpudl.nn.softmax import LogSoftmax, Softmax

__all__ = [
    "Concat",
    "Conv1d",
    "Conv2d",
    "ConvTranspose2d",
    "Dropout",
    "Dropout2d",
    "Flatten",
    "GaussianNoise",
    "Identity",
    "IncompatibleKeys",
    "Linear",
    "LogSoftmax",
    "Module",
    "ModuleList",
    "Parameter",
    "ReLU",
    "Residual",
    "Sequential",
    "Softmax",
]
