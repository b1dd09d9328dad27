"""Learning-rate schedules, each a closed formula of the step. Names and arguments are PyTorch's."""

from gpudl.optim.lr_scheduler.base import LRScheduler
from gpudl.optim.lr_scheduler.formulas import (
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)
from gpudl.optim.lr_scheduler.one_cycle import OneCycleLR
from gpudl.optim.lr_scheduler.plateau import ReduceLROnPlateau
from gpudl.optim.lr_scheduler.sequential import SequentialLR
from gpudl.optim.lr_scheduler.simulate import plot, simulate

__all__ = [
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
    "plot",
    "simulate",
]
