"""Global average pooling on channels-last memory."""

from __future__ import annotations

import numpy as np

from gpudl import _parallel
from gpudl._numpy import _windows
from gpudl._numpy._precision import computed_in_float32
from gpudl._numpy.adaptive_avg_pool2d import mean_of_rows


@computed_in_float32("y")
def global_avg_pool2d_forward(x: np.ndarray, y: np.ndarray) -> None:
    """x : (N, H, W, C). y : (N, 1, 1, C)."""
    pieces = _windows.samples(x.shape)
    positions = x.shape[1] * x.shape[2]
    rows = x.reshape(len(x), positions, x.shape[3])

    def block(i: int) -> None:
        mean_of_rows(rows[pieces[i]], y[pieces[i], 0])

    _parallel.run(block, len(pieces))


@computed_in_float32("dx")
def global_avg_pool2d_backward(dy: np.ndarray, dx: np.ndarray) -> None:
    """dy : (N, 1, 1, C). dx : (N, H, W, C)."""
    pieces = _windows.samples(dx.shape)
    positions = dx.shape[1] * dx.shape[2]

    def block(i: int) -> None:
        dx[pieces[i]] = dy[pieces[i]] / positions

    _parallel.run(block, len(pieces), blas=False)
