"""Bounds on gradients, in place."""

from __future__ import annotations

import math
from collections.abc import Iterable

from gpudl import ops
from gpudl.nn.parameter import Parameter
from gpudl.ops import _arrays
from gpudl.optim._flat_store import grad_spans


def clip_grad_norm_(
    parameters: Parameter | Iterable[Parameter],
    max_norm: float,
    norm_type: float | str = 2.0,
    error_if_nonfinite: bool = False,
) -> float:
    """Scale all gradients by min(1, max_norm / (norm + 1e-6)), norm being that of all elements together.

    parameters : one or several; those without a gradient are left out. max_norm : >= 0; inf only takes the norm.
    norm_type : any number, also inf or "inf".
    error_if_nonfinite : RuntimeError for a norm that is inf or NaN, before scaling.
    Returns the norm before. Follows torch.nn.utils.clip_grad_norm_.
    """
    op = "clip_grad_norm_"
    spans = grad_spans(_members(op, parameters))
    limit = _arrays.extended_real(op, "max_norm", max_norm, minimum=0)
    power = math.inf if norm_type == "inf" else _arrays.extended_real(op, "norm_type", norm_type)
    total = _together([ops.flat_norm(span, norm_type=power) for span in spans], power)
    if error_if_nonfinite and not math.isfinite(total):
        raise RuntimeError(
            f"{op}: the norm of the gradients is {total}; error_if_nonfinite=False scales anyway"
        )
    factor = limit / (total + 1e-6)
    if not factor >= 1:
        for span in spans:
            ops.flat_scale(span, factor=factor) if math.isfinite(factor) else _spoil(span)
    return total


def _spoil(span: object) -> None:
    """A NaN norm makes all gradients NaN, as in PyTorch."""
    span[...] = math.nan  # type: ignore[index]


def _together(norms: list[float], norm_type: float) -> float:
    """The norm of several norms."""
    if not norms:
        return 0.0
    if norm_type == math.inf:
        return math.nan if any(map(math.isnan, norms)) else max(norms)
    if norm_type == -math.inf:
        return math.nan if any(map(math.isnan, norms)) else min(norms)
    if norm_type == 0:
        return float(sum(norm != 0 for norm in norms))
    largest = max(norms)
    if not math.isfinite(largest) or largest == 0:
        return sum(norms)
    return largest * math.fsum((norm / largest) ** norm_type for norm in norms) ** (1 / norm_type)


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
