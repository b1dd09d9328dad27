"""Transposed convolution by loops: each input pixel paints its filter onto the output."""

import numpy as np


def conv_transpose2d_forward(
    x, weight, bias=None, stride=(1, 1), padding=(0, 0), output_padding=(0, 0), dilation=(1, 1), groups=1
):
    """x (N, C, H, W), weight (C, K / groups, R, S); padding crops the result."""
    x, weight = np.asarray(x, np.float64), np.asarray(weight, np.float64)
    N, C, H, W = x.shape
    _, K, R, S = weight.shape
    P = (H - 1) * stride[0] - 2 * padding[0] + dilation[0] * (R - 1) + output_padding[0] + 1
    Q = (W - 1) * stride[1] - 2 * padding[1] + dilation[1] * (S - 1) + output_padding[1] + 1
    y = np.zeros((N, K * groups, P, Q))
    for h, w, r, s in np.ndindex(H, W, R, S):
        p, q = h * stride[0] + r * dilation[0] - padding[0], w * stride[1] + s * dilation[1] - padding[1]
        if not (0 <= p < P and 0 <= q < Q):
            continue
        for group in range(groups):
            ins = slice(group * (C // groups), (group + 1) * (C // groups))
            y[:, group * K : (group + 1) * K, p, q] += x[:, ins, h, w] @ weight[ins, :, r, s]
    return y if bias is None else y + np.asarray(bias, np.float64)[:, None, None]
