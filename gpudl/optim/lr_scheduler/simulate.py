"""What a schedule does, as numbers and as a picture."""

from __future__ import annotations

from collections.abc import Callable

from gpudl.ops import _arrays
from gpudl.optim.lr_scheduler.base import LRScheduler
from gpudl.optim.optimizer import Optimizer


def simulate(make: Callable[[Optimizer], LRScheduler], steps: int, lr: float = 1.0) -> list[float]:
    """The learning rates at t = 0 .. steps - 1 of a schedule over an optimizer of lr `lr` that has one parameter.

    make : e.g. `lambda optimizer: StepLR(optimizer, 30)`. No optimizer of the caller's is touched.
    """
    import numpy as np

    from gpudl.nn.parameter import Parameter
    from gpudl.optim.sgd import SGD

    steps = _arrays.integer("simulate", "steps", steps, minimum=0)
    scheduler = make(SGD([Parameter(np.zeros(1))], lr, momentum=0.9))
    rates = []
    for _ in range(steps):
        rates.append(scheduler.get_last_lr()[0])
        if len(rates) < steps:
            scheduler.step()
    return rates


def plot(make: Callable[[Optimizer], LRScheduler], steps: int, path: str, lr: float = 1.0) -> None:
    """Draw `simulate(make, steps, lr)` as an image file (PNG, SVG or PDF by its ending). Needs matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("plot needs matplotlib: pip install 'gpudl[train]'") from error
    figure = Figure(figsize=(6, 3), layout="constrained")
    axes = figure.add_subplot(xlabel="step", ylabel="learning rate")
    axes.plot(simulate(make, steps, lr))
    figure.savefig(path, dpi=150)
