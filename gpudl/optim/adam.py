"""Adam and AdamW."""

from __future__ import annotations

from typing import Any

from gpudl import ops
from gpudl.ops import _arrays
from gpudl.ops.adam import HYPERPARAMETERS
from gpudl.optim._flat_store import FlatStore
from gpudl.optim._step_tables import StepTables
from gpudl.optim.optimizer import Optimizer, require_flags, require_numbers


class Adam(Optimizer):
    """m = b1 * m + (1 - b1) * g; v = b2 * v + (1 - b2) * g**2; p -= lr * m' / (sqrt(v') + eps).

    m' = m / (1 - b1**t) and v' = v / (1 - b2**t) are the averages without the bias of their start at zero.

    params : see `Optimizer`. lr, eps, weight_decay : >= 0. betas : two numbers in [0, 1).
    weight_decay : adds weight_decay * p to g (L2); with decoupled_weight_decay it is p *= 1 - lr * weight_decay.
    amsgrad : divides by the largest v so far. maximize : ascends.

    One pass over each flat store. Follows torch.optim.Adam; Kingma and Ba, ICLR 2015; Reddi et al., ICLR 2018.
    """

    columns = HYPERPARAMETERS

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        decoupled_weight_decay: bool = False,
    ):
        defaults = {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad,
            "maximize": maximize, "decoupled_weight_decay": decoupled_weight_decay,
        }  # fmt: skip
        super().__init__(params, defaults)

    def _check(self, group: dict[str, Any]) -> None:
        op = type(self).__name__
        require_numbers(op, group, lr=0, eps=0, weight_decay=0)
        require_flags(op, group, "amsgrad", "maximize", "decoupled_weight_decay")
        betas = group["betas"]
        if not isinstance(betas, tuple | list) or len(betas) != 2:
            raise ValueError(f"{op}: betas must be 2 numbers, got {betas!r}")
        for beta in betas:
            if _arrays.real(op, "betas", beta, minimum=0) >= 1:
                raise ValueError(f"{op}: betas must be below 1, got {betas}")

    def _row(self, group: dict[str, Any]) -> list[float]:
        flat = {**group, "beta1": group["betas"][0], "beta2": group["betas"][1]}
        return [float(flat[name]) for name in self.columns]

    def _state_names(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("exp_avg", "exp_avg_sq", *(("max_exp_avg_sq",) if group["amsgrad"] else ()))

    def _run(self, store: FlatStore, tables: StepTables, names: set[str]) -> None:
        largest = store.state("max_exp_avg_sq") if "max_exp_avg_sq" in names else None
        averages = (store.state("exp_avg"), store.state("exp_avg_sq"))
        ops.adam_step(store.grad, *tables.arrays, store.data, *averages, largest)


class AdamW(Adam):
    """Adam with decoupled weight decay: p *= 1 - lr * weight_decay before the step.

    params : see `Optimizer`. lr, eps, weight_decay : >= 0. betas : two numbers in [0, 1).
    amsgrad : divides by the largest v so far. maximize : ascends.

    Follows torch.optim.AdamW; Loshchilov and Hutter, ICLR 2019.
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ):
        super().__init__(
            params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize, decoupled_weight_decay=True
        )
