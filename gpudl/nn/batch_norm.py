"""Batch normalisation layers."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from gpudl import ops
from gpudl._backend import Array
from gpudl.nn._factory import full_buffer, to_device
from gpudl.nn.module import Module
from gpudl.nn.parameter import Parameter
from gpudl.ops import _arrays


class _BatchNorm(Module):
    """What BatchNorm1d and BatchNorm2d share; they differ in the shapes they take."""

    layouts: ClassVar[tuple[str, ...]]
    weight: Parameter | None
    bias: Parameter | None
    running_mean: Array | None
    running_var: Array | None
    num_batches_tracked: Array | None

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: str | None = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ):
        super().__init__()
        name = type(self).__name__
        self.num_features = _arrays.integer(name, "num_features", num_features, minimum=1)
        self.eps = _arrays.real(name, "eps", eps, minimum=0.0)
        if momentum is not None:
            momentum = _arrays.real(name, "momentum", momentum, minimum=0.0, maximum=1.0)
        self.momentum = momentum
        self.affine = _arrays.boolean(name, "affine", affine)
        self.track_running_stats = _arrays.boolean(name, "track_running_stats", track_running_stats)
        with_bias = _arrays.boolean(name, "bias", bias) and affine
        shape = (self.num_features,)
        self.weight = Parameter(full_buffer(name, shape, 1, device, dtype)) if affine else None
        self.bias = Parameter(full_buffer(name, shape, 0, device, dtype)) if with_bias else None
        statistics = self.buffer_dtype(_arrays.float_dtype(name, dtype))
        if track_running_stats:
            self.register_buffer("running_mean", full_buffer(name, shape, 0, device, statistics))
            self.register_buffer("running_var", full_buffer(name, shape, 1, device, statistics))
            self.register_buffer("num_batches_tracked", to_device(name, np.zeros((), np.int64), device))
        else:
            for buffer in ("running_mean", "running_var", "num_batches_tracked"):
                self.register_buffer(buffer, None)

    def buffer_dtype(self, dtype: np.dtype) -> np.dtype:
        """Running statistics are float32 for half precision too: small updates would be rounded away."""
        return np.dtype(np.float64 if dtype == np.float64 else np.float32)

    def reset_running_stats(self) -> None:
        """Mean 0, variance 1, no batches seen."""
        if self.track_running_stats:
            self.running_mean[...] = 0
            self.running_var[...] = 1
            self.num_batches_tracked[...] = 0

    def reset_parameters(self) -> None:
        """Weight 1, bias 0, and fresh running statistics."""
        self.reset_running_stats()
        for parameter, value in ((self.weight, 1), (self.bias, 0)):
            if parameter is not None:
                _arrays.write(parameter.data, value)

    def forward(self, x: Array) -> Array:
        """x : see the class; dtype and device of the layer. Returns y, shaped as x."""
        self._check(x)
        weight, bias = (None if p is None else p.data for p in (self.weight, self.bias))
        if not self.training and self.track_running_stats:
            y = ops.batch_norm_inference(x, self.running_mean, self.running_var, weight, bias, eps=self.eps)
            self.save_for_backward(x, self.running_mean, self.running_var, False)
            return y
        tracked = (None, None, None)
        if self.track_running_stats:
            tracked = (self.running_mean, self.running_var, self.num_batches_tracked)
        momentum = self.momentum if self.track_running_stats else 0.0
        y, mean, rstd = ops.batch_norm_forward(x, weight, bias, *tracked, momentum=momentum, eps=self.eps)
        self.save_for_backward(x, mean, rstd, True)
        return y

    def backward(self, dy: Array) -> Array | None:
        """dy : as y. Accumulates into weight.grad and bias.grad; returns dx, shaped as x.

        After a forward in eval() the running statistics are constants.
        """
        x, mean, deviation, of_batch = self.saved_for_backward()
        weight = None if self.weight is None else self.weight.data
        wanted = {
            "input_gradient": self.input_requires_grad,
            "weight_gradient": self.weight is not None and self.weight.requires_grad,
            "bias_gradient": self.bias is not None and self.bias.requires_grad,
        }
        if of_batch:
            dx, dweight, dbias = ops.batch_norm_backward(dy, x, mean, deviation, weight, **wanted)
        else:
            dx, dweight, dbias = ops.batch_norm_inference_backward(
                dy, x, mean, deviation, weight, eps=self.eps, **wanted
            )
        if dweight is not None:
            self.weight.accumulate_grad(dweight)
        if dbias is not None:
            self.bias.accumulate_grad(dbias)
        return dx

    def _check(self, x: Array) -> None:
        name = type(self).__name__
        _arrays.require_floats(name, x=x)
        if x.ndim not in [layout.count(",") + 1 for layout in self.layouts]:
            raise ValueError(f"{name}: x must have shape {' or '.join(self.layouts)}, got {x.shape}")
        if x.shape[1] != self.num_features:
            raise ValueError(f"{name}: x must have {self.num_features} channels on axis 1, got {x.shape}")

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, "
            f"track_running_stats={self.track_running_stats}"
        )


class BatchNorm1d(_BatchNorm):
    """y = (x - mean) / sqrt(var + eps) * weight + bias for each channel of x (N, C) or (N, C, L).

    num_features : C, at least 1. eps : at least 0.
    momentum : weight of the new batch in the running statistics, in [0, 1]; None for the average of all batches.
    affine : False for no weight and bias. bias : False for no bias.
    track_running_stats : False to use the batch's statistics in eval() too.
    device : "cpu", "simt" or "cuda"; the one of `use_backend` by default. dtype : float32 by default.

    Training takes the batch's mean and biased variance; running_var takes the unbiased one. Running statistics are
    float32 also where the parameters are float16 or bfloat16. Follows torch.nn.BatchNorm1d.
    """

    layouts = ("(N, C)", "(N, C, L)")


class BatchNorm2d(_BatchNorm):
    """Batch normalisation of images (N, C, H, W); all else as in BatchNorm1d. Follows torch.nn.BatchNorm2d."""

    layouts = ("(N, C, H, W)",)
