"""Every kind of optimizer with options away from their defaults, parameters of awkward shapes, gradients of which some are missing."""

import numpy as np
import pytest

from gpudl import optim
from gpudl.nn import Parameter
from tests.support.arrays import random_array

SHAPES = [(3, 5), (), (4, 3, 3, 2), (0, 2), (65,), (2, 1, 7)]


OPTIONS = [
    (optim.SGD, {"lr": 0.1}),
    (optim.SGD, {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.2, "maximize": True}),
    (optim.SGD, {"lr": 0.1, "momentum": 0.8, "nesterov": True}),
    (optim.Adam, {}),
    (optim.Adam, {"lr": 0.02, "betas": (0.7, 0.9), "eps": 1e-3, "weight_decay": 0.1, "amsgrad": True}),
    (optim.Adam, {"lr": 0.02, "maximize": True, "weight_decay": 0.3, "decoupled_weight_decay": True}),
    (optim.AdamW, {"lr": 0.05}),
    (optim.AdamW, {"lr": 0.05, "weight_decay": 0.4, "amsgrad": True, "maximize": True}),
    (optim.RMSprop, {}),
    (
        optim.RMSprop,
        {"lr": 0.02, "alpha": 0.8, "eps": 1e-2, "weight_decay": 0.1, "momentum": 0.7, "centered": True},
    ),
    (optim.RMSprop, {"lr": 0.02, "maximize": True, "centered": True}),
]


every_option = pytest.mark.parametrize(
    ("kind", "options"), OPTIONS, ids=[f"{kind.__name__}-{sorted(options)}" for kind, options in OPTIONS]
)


def parameters(dtype=np.float64, channels_last=True):
    made = []
    for i, shape in enumerate(SHAPES):
        array = np.asarray(random_array(shape, seed=i), dtype)
        if array.ndim == 4 and channels_last:
            array = np.ascontiguousarray(array.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
        made.append(Parameter(array))
    return made


def give_gradients(members, step, skip=()):
    for i, member in enumerate(members):
        gradient = np.asarray(random_array(member.shape, seed=100 * step + i), member.dtype)
        member.grad = None if i in skip else gradient


def skipped_at(step):
    return (1, 4) if step % 3 == 1 else ()
