"""Linear layer: one matrix product per direction."""

from __future__ import annotations

import numpy as np

from gpudl._numpy._precision import computed_in_float32
from gpudl._numpy._products import matmul


@computed_in_float32("y")
def linear_forward(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, y: np.ndarray) -> None:
    """y = x @ weight.T + bias; x (N, I), weight (O, I), y (N, O)."""
    matmul(x, weight.T, out=y, bias=bias)


@computed_in_float32("dx")
def linear_backward_data(dy: np.ndarray, weight: np.ndarray, dx: np.ndarray) -> None:
    """dx = dy @ weight."""
    matmul(dy, weight, out=dx)


@computed_in_float32("dweight")
def linear_backward_weight(dy: np.ndarray, x: np.ndarray, dweight: np.ndarray) -> None:
    """dweight = dy.T @ x."""
    matmul(dy.T, x, out=dweight)


@computed_in_float32("dbias")
def linear_backward_bias(dy: np.ndarray, dbias: np.ndarray) -> None:
    """dbias = sum of dy over its rows: a product with ones, which BLAS sums in a fixed order."""
    matmul(np.ones((1, len(dy)), dy.dtype), dy, out=dbias.reshape(1, -1))
