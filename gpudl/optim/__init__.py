"""Optimizers over flat stores, bounds on gradients, averages of weights, learning-rate schedules."""

from gpudl.optim import lr_scheduler
from gpudl.optim.adam import Adam, AdamW
from gpudl.optim.clip import clip_grad_norm_, clip_grad_value_, has_nonfinite_grad
from gpudl.optim.ema import EMA
from gpudl.optim.optimizer import Optimizer
from gpudl.optim.rmsprop import RMSprop
from gpudl.optim.sgd import SGD

__all__ = [
    "EMA",
    "SGD",
    "Adam",
    "AdamW",
    "Optimizer",
    "RMSprop",
    "clip_grad_norm_",
    "clip_grad_value_",
    "has_nonfinite_grad",
    "lr_scheduler",
]
