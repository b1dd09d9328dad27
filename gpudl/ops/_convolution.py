"""What the contracts of conv1d, conv2d and conv_transpose2d share: the numbers of a convolution, and its sizes."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

from gpudl._backend import Array
from gpudl.ops import _arrays
from gpudl.ops._arrays import Result

Pair = tuple[int, int]
LAYOUTS = {1: "(N, C, L)", 2: "(N, C, H, W)"}
WEIGHT_LAYOUTS = {1: "(K, C, S)", 2: "(K, C, R, S)"}
_REMEMBERED = 1024  # shapes of calls; to work out their sizes again takes as long as a small product


class Geometry(NamedTuple):
    """Stride, padding (before and after each axis), dilation and groups of a convolution over 1 or 2 axes."""

    stride: tuple[int, ...]
    padding: tuple[Pair, ...]
    dilation: tuple[int, ...]
    groups: int

    @functools.lru_cache(maxsize=_REMEMBERED)  # noqa: B019  of a tuple of numbers, so nothing is kept alive
    def output(self, op: str, extents: tuple[int, ...], field: tuple[int, ...]) -> tuple[int, ...]:
        """Extents of y for those of x; raises where the window does not fit into the padded input."""
        reach = [d * (f - 1) + 1 for d, f in zip(self.dilation, field, strict=True)]
        padded = [e + before + after for e, (before, after) in zip(extents, self.padding, strict=True)]
        if any(p < r for p, r in zip(padded, reach, strict=True)):
            raise ValueError(
                f"{op}: the window covers {tuple(reach)} pixels, more than the padded input {tuple(padded)} "
                f"(x {extents}, weight {field}, padding {self.padding}, dilation {self.dilation})"
            )
        return tuple((p - r) // s + 1 for p, r, s in zip(padded, reach, self.stride, strict=True))

    def executor_arguments(self) -> dict[str, Any]:
        """Keyword arguments of the executors, which work on two axes and need only the padding before each."""
        first = [before for before, _ in self.padding]
        if len(first) == 1:
            return {
                "stride": (1, *self.stride), "padding": (0, *first), "dilation": (1, *self.dilation),
                "groups": self.groups,
            }  # fmt: skip
        return {
            "stride": self.stride, "padding": tuple(first), "dilation": self.dilation, "groups": self.groups,
        }  # fmt: skip


def geometry(
    op: str, field: tuple[int, ...], stride: Any, padding: Any, dilation: Any, groups: Any
) -> Geometry:
    """Check the numbers of a convolution with a window of `field` pixels."""
    axes = len(field)
    strides = _arrays.integers(op, "stride", stride, axes, minimum=1)
    dilations = _arrays.integers(op, "dilation", dilation, axes, minimum=1)
    count = _arrays.integer(op, "groups", groups, minimum=1)
    if isinstance(padding, str):
        pads = named_padding(op, padding, field, strides, dilations)
    else:
        pads = tuple((p, p) for p in _arrays.integers(op, "padding", padding, axes, minimum=0))
    return Geometry(strides, pads, dilations, count)


def named_padding(
    op: str, padding: str, field: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]
) -> tuple[Pair, ...]:
    """(before, after) of each axis for "valid" and "same"; "same" puts an odd pixel after, as PyTorch does."""
    _arrays.one_of(op, "padding", padding, ("same", "valid"))
    if padding == "valid":
        return ((0, 0),) * len(field)
    if any(s != 1 for s in stride):
        raise ValueError(
            f"{op}: padding='same' is not supported for strided convolutions, got stride {stride}"
        )
    totals = [d * (f - 1) for d, f in zip(dilation, field, strict=True)]
    return tuple((total // 2, total - total // 2) for total in totals)


def check_extents(op: str, name: str, array_or_size: Any) -> None:
    """Refuse a weight without elements: no product with it means anything."""
    shape = getattr(array_or_size, "shape", array_or_size)
    if 0 in shape:
        raise ValueError(f"{op}: {name} must have no axis of extent 0, got {tuple(shape)}")


def size(op: str, name: str, value: Any, layout: str, *, unbatched: bool = False) -> tuple[int, ...]:
    """A shape given as a tuple or list of ints, of the rank of `layout` (or one less with unbatched=True)."""
    if not isinstance(value, tuple | list):
        raise TypeError(f"{op}: {name} must be a tuple of ints, got {type(value).__name__}")
    rank = layout.count(",") + 1
    if len(value) != rank and not (unbatched and len(value) == rank - 1):
        raise ValueError(f"{op}: {name} must be {layout}, got {tuple(value)}")
    return tuple(_arrays.integer(op, name, extent, minimum=0) for extent in value)


def check_channels(op: str, x: str, channels: int, weight_shape: tuple[int, ...], groups: int) -> None:
    """Channels of x and weight agree, and the groups divide the filters."""
    K, C = weight_shape[:2]
    if channels != C * groups:
        raise ValueError(
            f"{op}: weight has {C} input channels in each of {groups} groups, {x} has {channels} "
            f"(weight: {weight_shape})"
        )
    if K % groups:
        raise ValueError(f"{op}: groups must divide the {K} filters of weight {weight_shape}, got {groups}")


def with_batch(op: str, name: str, shape: tuple[int, ...], unbatched: bool, axes: int) -> tuple[int, ...]:
    """`shape`, with a batch of one where dy has no batch axis; raises where only one of the two has it."""
    if unbatched != (len(shape) == axes + 1):
        raise ValueError(f"{op}: dy and {name} must both have a batch axis or neither, got {name} {shape}")
    return (1, *shape) if unbatched else shape


def batched(array: Array, unbatched: bool) -> Array:
    """(C, ...) as (1, C, ...)."""
    return array[None] if unbatched else array


def as_images(array: Array) -> Array:
    """(N, C, L) as (N, C, 1, L); four axes stay."""
    return array[:, :, None] if array.ndim == 3 else array


def dense_images(array: Array) -> Array:
    """Channels-last memory, four axes: what executors take."""
    return as_images(_arrays.channels_last(array))


def images_result(
    op: str, shape: tuple[int, ...], out: Array | None, unbatched: bool, inputs: dict[str, Array | None]
) -> Result:
    """Where a result (N, C, ...) goes that the caller sees as (C, ...) where x had no batch axis."""
    if out is not None and unbatched:
        _arrays.require_arrays(op, out=out)
        _arrays.require_shape(op, "out", out, shape[1:], "that of the result")
        out = out[None]
    return Result(op, shape, out, inputs, channels_last=True)


def finish_images(result: Result, out: Array | None, unbatched: bool) -> Array:
    """What the caller gets of `images_result`."""
    array = result.finish()
    if out is not None:
        return out
    return array[0] if unbatched else array
