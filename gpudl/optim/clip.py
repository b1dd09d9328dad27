"""Bounds on gradients, in place."""

from __future__ import annotations

import math
from collections.abc import Iterable

from gpudl import ops
from gpudl._backend import Array
from gpudl.nn.parameter import Parameter
from gpudl.ops import _arrays
from gpudl.optim._flat_store import grad_spans


def clip_grad_norm_(
    parameters: Parameter | Iterable[Parameter],
    max_norm: float,
    norm_type: float | str = 2.0,
    error_if_nonfinite: bool = False,
) -> Array:
    """Scale all gradients by min(1, max_norm / (norm + 1e-6)), norm being that of all elements together.

    parameters : one or several; those without a gradient are left out. max_norm : >= 0; inf only takes a finite
    norm. norm_type : any number, also inf or "inf". A norm of NaN, or of inf where max_norm is inf, makes all gradients
    NaN, as in PyTorch.
    error_if_nonfinite : RuntimeError for a norm that is inf or NaN, before scaling. The call then waits for a GPU.
    Returns the norm before, () float64 on the gradients' device. Follows torch.nn.utils.clip_grad_norm_.
    """
    op = "clip_grad_norm_"
    spans = grad_spans(_members(op, parameters))
    limit = _arrays.extended_real(op, "max_norm", max_norm, minimum=0)
    power = math.inf if norm_type == "inf" else _arrays.extended_real(op, "norm_type", norm_type)
    if error_if_nonfinite and not math.isfinite(total := ops.flat_norm(spans, norm_type=power)):
        raise RuntimeError(
            f"{op}: the norm of the gradients is {total}; error_if_nonfinite=False scales anyway"
        )
    return ops.flat_clip_norm(spans, max_norm=limit, norm_type=power)


def clip_grad_value_(parameters: Parameter | Iterable[Parameter], clip_value: float) -> None:
    """Clamp every element of every gradient to [-clip_value, clip_value]; NaN stays.

    parameters : one or several. clip_value : >= 0. Follows torch.nn.utils.clip_grad_value_.
    """
    spans = grad_spans(_members("clip_grad_value_", parameters))
    limit = _arrays.real("clip_grad_value_", "clip_value", clip_value, minimum=0)
    for span in spans:
        ops.flat_clamp(span, limit=limit)


def has_nonfinite_grad(parameters: Parameter | Iterable[Parameter]) -> bool:
    """True where a gradient holds inf or NaN."""
    return any(
        ops.flat_has_nonfinite(span) for span in grad_spans(_members("has_nonfinite_grad", parameters))
    )


def _members(op: str, parameters: Parameter | Iterable[Parameter]) -> list[Parameter]:
    members = [parameters] if isinstance(parameters, Parameter) else list(parameters)
    for member in members:
        if not isinstance(member, Parameter):
            raise TypeError(f"{op}: parameters must be Parameters, got {type(member).__name__}")
    return members
