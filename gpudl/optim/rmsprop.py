"""RMSprop."""

from __future__ import annotations

from typing import Any

from gpudl import ops
from gpudl.ops import _arrays
from gpudl.ops.rmsprop import HYPERPARAMETERS
from gpudl.optim._flat_store import FlatStore
from gpudl.optim._step_tables import StepTables
from gpudl.optim.optimizer import Optimizer, require_flags, require_numbers


class RMSprop(Optimizer):
    """v = alpha * v + (1 - alpha) * g**2; p -= lr * g / (sqrt(v) + eps).

    params : see `Optimizer`. lr, eps, weight_decay, momentum : >= 0. alpha : in [0, 1].
    momentum : b = momentum * b + g / (sqrt(v) + eps); p -= lr * b. maximize : ascends.
    centered : v minus the square of the average gradient takes the place of v (Graves, 2013).
    eps_inside_sqrt : sqrt(v + eps), as in Keras and optax.

    One pass over each flat store. Follows torch.optim.RMSprop; Tieleman and Hinton, 2012.
    """

    columns = HYPERPARAMETERS

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        *,
        maximize: bool = False,
        eps_inside_sqrt: bool = False,
    ):
        defaults = {
            "lr": lr, "alpha": alpha, "eps": eps, "weight_decay": weight_decay, "momentum": momentum,
            "centered": centered, "maximize": maximize, "eps_inside_sqrt": eps_inside_sqrt,
        }  # fmt: skip
        super().__init__(params, defaults)

    def _check(self, group: dict[str, Any]) -> None:
        require_numbers("RMSprop", group, lr=0, eps=0, weight_decay=0, momentum=0)
        _arrays.real("RMSprop", "alpha", group["alpha"], minimum=0, maximum=1)
        require_flags("RMSprop", group, "centered", "maximize", "eps_inside_sqrt")

    def _state_names(self, group: dict[str, Any]) -> tuple[str, ...]:
        buffer = ("momentum_buffer",) if group["momentum"] else ()
        return ("square_avg", *buffer, *(("grad_avg",) if group["centered"] else ()))

    def _run(self, store: FlatStore, tables: StepTables, names: set[str]) -> None:
        extra = {n: store.state(n) if n in names else None for n in ("momentum_buffer", "grad_avg")}
        ops.rmsprop_step(store.grad, *tables.arrays, store.data, store.state("square_avg"), **extra)
