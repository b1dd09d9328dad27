"""Layers: parameters and mode over `gpudl.ops`. Names, arguments and defaults are PyTorch's."""

from gpudl.nn.adaptive_avg_pool2d import AdaptiveAvgPool2d
from gpudl.nn.adaptive_max_pool2d import AdaptiveMaxPool2d
from gpudl.nn.avg_pool2d import AvgPool2d
from gpudl.nn.batch_norm import BatchNorm1d, BatchNorm2d
from gpudl.nn.binary_cross_entropy import BCELoss
from gpudl.nn.binary_cross_entropy_with_logits import BCEWithLogitsLoss
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
from gpudl.nn.cross_entropy import CrossEntropyLoss
from gpudl.nn.dropout import Dropout, Dropout2d
from gpudl.nn.elu import ELU
from gpudl.nn.flatten import Flatten
from gpudl.nn.gaussian_noise import GaussianNoise
from gpudl.nn.gelu import GELU
from gpudl.nn.global_avg_pool2d import GlobalAvgPool2d
from gpudl.nn.group_norm import GroupNorm
from gpudl.nn.hardswish import Hardswish
from gpudl.nn.huber_loss import HuberLoss
from gpudl.nn.kl_div import KLDivLoss
from gpudl.nn.l1_loss import L1Loss
from gpudl.nn.layer_norm import LayerNorm
from gpudl.nn.leaky_relu import LeakyReLU
from gpudl.nn.linear import Linear
from gpudl.nn.max_pool2d import MaxPool2d
from gpudl.nn.module import IncompatibleKeys, Module
from gpudl.nn.mse_loss import MSELoss
from gpudl.nn.nll_loss import NLLLoss
from gpudl.nn.parameter import Parameter
from gpudl.nn.relu import ReLU
from gpudl.nn.relu6 import ReLU6
from gpudl.nn.sigmoid import Sigmoid
from gpudl.nn.silu import SiLU
from gpudl.nn.smooth_l1_loss import SmoothL1Loss
from gpudl.nn.softmax import LogSoftmax, Softmax
from gpudl.nn.softplus import Softplus
from gpudl.nn.tanh import Tanh

__all__ = [
    "ELU",
    "GELU",
    "AdaptiveAvgPool2d",
    "AdaptiveMaxPool2d",
    "AvgPool2d",
    "BCELoss",
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "BatchNorm2d",
    "Concat",
    "Conv1d",
    "Conv2d",
    "ConvTranspose2d",
    "CrossEntropyLoss",
    "Dropout",
    "Dropout2d",
    "Flatten",
    "GaussianNoise",
    "GlobalAvgPool2d",
    "GroupNorm",
    "Hardswish",
    "HuberLoss",
    "Identity",
    "IncompatibleKeys",
    "KLDivLoss",
    "L1Loss",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "LogSoftmax",
    "MSELoss",
    "MaxPool2d",
    "Module",
    "ModuleList",
    "NLLLoss",
    "Parameter",
    "ReLU",
    "ReLU6",
    "Residual",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SmoothL1Loss",
    "Softmax",
    "Softplus",
    "Tanh",
]
