"""Stochastic gradient descent."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudl import ops
from gpudl.ops.sgd import HYPERPARAMETERS
from gpudl.optim._flat_store import FlatStore
from gpudl.optim._step_tables import StepTables
from gpudl.optim.optimizer import Optimizer, require_flags, require_numbers


class SGD(Optimizer):
    """g = grad + weight_decay * p; b = momentum * b + (1 - dampening) * g (b = g at first); p -= lr * b.

    params : see `Optimizer`. lr, momentum, dampening, weight_decay : numbers >= 0 (dampening any).
    nesterov : p -= lr * (g + momentum * b); needs momentum and no dampening. maximize : ascends.

    One pass over each flat store. Follows torch.optim.SGD.
    """

    columns = HYPERPARAMETERS

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ):
        defaults = {
            "lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay,
            "nesterov": nesterov, "maximize": maximize,
        }  # fmt: skip
        super().__init__(params, defaults)

    def _check(self, group: dict[str, Any]) -> None:
        require_numbers("SGD", group, lr=0, momentum=0, weight_decay=0, dampening=-np.inf)
        require_flags("SGD", group, "nesterov", "maximize")
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ValueError(
                "SGD: nesterov needs momentum above 0 and dampening 0, got "
                f"momentum {group['momentum']} and dampening {group['dampening']}"
            )

    def _state_names(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("momentum_buffer",) if group["momentum"] else ()

    def _counts_in_state(self) -> bool:
        return False

    def _counts_steps(self, group: dict[str, Any]) -> bool:
        return bool(group["momentum"])  # the first step with momentum fills the buffer

    def _run(self, store: FlatStore, tables: StepTables, names: set[str]) -> None:
        buffer = store.state("momentum_buffer") if names else None
        ops.sgd_step(store.grad, *tables.arrays, store.data, buffer)
