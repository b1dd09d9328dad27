"""2-D convolution by loops over output pixels and taps."""

import numpy as np


def conv2d_forward(x, weight, bias=None, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1):
    """x (N, C, H, W), weight (K, C / groups, R, S); padding (top and bottom, left and right)."""
    x, weight = np.asarray(x, np.float64), np.asarray(weight, np.float64)
    N, C, H, W = x.shape
    K, _, R, S = weight.shape
    P = (H + 2 * padding[0] - dilation[0] * (R - 1) - 1) // stride[0] + 1
    Q = (W + 2 * padding[1] - dilation[1] * (S - 1) - 1) // stride[1] + 1
    y = np.zeros((N, K, P, Q))
    for p, q, r, s in np.ndindex(P, Q, R, S):
        h = p * stride[0] + r * dilation[0] - padding[0]
        w = q * stride[1] + s * dilation[1] - padding[1]
        if not (0 <= h < H and 0 <= w < W):
            continue
        for group in range(groups):
            ins = slice(group * (C // groups), (group + 1) * (C // groups))
            outs = slice(group * (K // groups), (group + 1) * (K // groups))
            y[:, outs, p, q] += x[:, ins, h, w] @ weight[outs, :, r, s].T
    return y if bias is None else y + np.asarray(bias, np.float64)[:, None, None]


def conv2d_gradients(x, weight, dy, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1):
    """(dx, dweight, dbias): each product of the forward, sent back to both of its factors."""
    x, weight, dy = (np.asarray(a, np.float64) for a in (x, weight, dy))
    _N, C, H, W = x.shape
    K, _, R, S = weight.shape
    dx, dweight = np.zeros(x.shape), np.zeros(weight.shape)
    for p, q, r, s in np.ndindex(*dy.shape[2:], R, S):
        h = p * stride[0] + r * dilation[0] - padding[0]
        w = q * stride[1] + s * dilation[1] - padding[1]
        if not (0 <= h < H and 0 <= w < W):
            continue
        for group in range(groups):
            ins = slice(group * (C // groups), (group + 1) * (C // groups))
            outs = slice(group * (K // groups), (group + 1) * (K // groups))
            dx[:, ins, h, w] += dy[:, outs, p, q] @ weight[outs, :, r, s]
            dweight[outs, :, r, s] += dy[:, outs, p, q].T @ x[:, ins, h, w]
    return dx, dweight, dy.sum((0, 2, 3))
