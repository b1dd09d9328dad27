"""Transforms of images, a pixel at a time, in float64 or in the very steps of float32. Imports nothing from gpudl."""

import math

import numpy as np


def folded(place, extent, mode):
    """The row of the image that stands at `place`, by walking there; None for the fill."""
    if 0 <= place < extent:
        return place
    if mode == "constant":
        return None
    if mode == "edge":
        return 0 if place < 0 else extent - 1
    if extent == 1:
        return 0
    again = 1 if mode == "reflect" else 0  # how many pixels of the border are left out
    if place < 0:
        return folded(-place - 1 + again, extent, mode)
    return folded(2 * extent - 1 - again - place, extent, mode)


def crop(x, size, top, left, flip_horizontal, flip_vertical, mode="constant", fill=0):
    N, C, H, W = x.shape
    P, Q = size
    y = np.empty((N, C, P, Q), x.dtype)
    fill = np.broadcast_to(np.asarray(fill), (C,))
    for n, c, p, q in np.ndindex(N, C, P, Q):
        row = folded(top[n] + (P - 1 - p if flip_vertical[n] else p), H, mode)
        column = folded(left[n] + (Q - 1 - q if flip_horizontal[n] else q), W, mode)
        y[n, c, p, q] = fill[c] if row is None or column is None else x[n, c, row, column]
    return y


def erase(x, boxes, value):
    y = np.array(x)
    value = np.broadcast_to(np.asarray(value), x.shape[1:2])
    for n, c, p, q in np.ndindex(*x.shape):
        top, left, height, width = boxes[n]
        if top <= p < top + height and left <= q < left + width:
            y[n, c, p, q] = value[c]
    return y


def normalize(x, mean, std):
    """In float64."""
    C = x.shape[1]
    mean, std = (np.broadcast_to(np.asarray(v, np.float64), (C,)).reshape(1, C, 1, 1) for v in (mean, std))
    return (x.astype(np.float64) - mean) / std


def affine(x, matrices, size, interpolation, fill):
    """Every operation in float32 (values in float64 for float64 images), so that bits can be compared."""
    N, C, H, W = x.shape
    wide = np.float64 if x.dtype == np.float64 else np.float32
    y = np.empty((N, C, *size), wide)
    fill = np.broadcast_to(np.asarray(fill), (C,)).astype(wide)
    for n, p, q in np.ndindex(N, *size):
        (a, b, c), (d, e, f) = np.asarray(matrices[n], np.float32)
        p32, q32 = np.float32(p), np.float32(q)
        u, v = (a * q32 + b * p32) + c, (d * q32 + e * p32) + f
        for channel in range(C):

            def pixel(i, j, n=n, channel=channel):
                inside = 0 <= i < H and 0 <= j < W
                return wide(x[n, channel, i, j]) if inside else fill[channel]

            if interpolation == "nearest":
                y[n, channel, p, q] = pixel(int(np.rint(v)), int(np.rint(u)))
                continue
            i, j = math.floor(v), math.floor(u)
            s, t = v - np.float32(i), u - np.float32(j)
            above, below = (pixel(k, j) + t * (pixel(k, j + 1) - pixel(k, j)) for k in (i, i + 1))
            y[n, channel, p, q] = above + s * (below - above)
    return rounded(y, x.dtype)


def rounded(values, dtype):
    if dtype != np.uint8:
        return values.astype(dtype)
    return np.clip([round(float(v)) for v in values.ravel()], 0, 255).astype(np.uint8).reshape(values.shape)


def resize_weights(extent, length, interpolation, antialias):
    """(length, extent): what each pixel adds to each place, in float64."""
    weights = np.zeros((length, extent))
    reach = max(1.0, extent / length) if antialias else 1.0
    for i in range(length):
        if interpolation == "nearest":
            weights[i, i * extent // length] = 1
            continue
        middle = (i + 0.5) * extent / length
        for k in range(extent):
            weights[i, k] = max(0.0, 1 - abs(k + 0.5 - middle) / reach)
        weights[i] /= weights[i].sum()
    return weights


def resize(x, size, boxes, interpolation, antialias):
    """In float64, not rounded."""
    N, C = x.shape[:2]
    y = np.empty((N, C, *size))
    for n in range(N):
        top, left, height, width = boxes[n]
        rows = resize_weights(height, size[0], interpolation, antialias)
        columns = resize_weights(width, size[1], interpolation, antialias)
        box = x[n, :, top : top + height, left : left + width].astype(np.float64)
        for c, p, q in np.ndindex(C, *size):
            y[n, c, p, q] = sum(
                rows[p, i] * columns[q, j] * box[c, i, j]
                for i in range(height)
                for j in range(width)
                if rows[p, i] and columns[q, j]
            )
    return y


def color(x, factors, order):
    """factors : {name: (N,)}, order : (N, 4) of names' numbers. Every operation in float32 (float64)."""
    N, C, H, W = x.shape
    wide = np.float64 if x.dtype == np.float64 else np.float32
    names = ("brightness", "contrast", "saturation", "hue")
    y = x.astype(wide)
    whole = x.dtype == np.uint8
    top = 255 if whole else 1

    def clipped(value):
        value = wide(np.rint(value)) if whole else wide(value)
        return min(max(value, wide(0)), wide(top))

    def grey(pixel):
        if C == 1:
            return pixel[0]
        value = (wide(0.2989) * pixel[0] + wide(0.587) * pixel[1]) + wide(0.114) * pixel[2]
        return wide(np.rint(value)) if whole else value

    for n in range(N):
        for step in order[n]:
            name = names[step]
            if name not in factors or (C == 1 and name in ("saturation", "hue")):
                continue
            f = wide(factors[name][n])
            unit = 1 if whole else 2**24
            greys = [grey(y[n, :, p, q]) for p, q in np.ndindex(H, W)] if name == "contrast" else []
            total = sum(int(np.rint(wide(unit) * g)) for g in greys)
            mean = wide(total / (H * W) / unit)
            for p, q in np.ndindex(H, W):
                pixel = y[n, :, p, q].copy()
                for c in range(C):
                    if name == "brightness":
                        value = f * pixel[c]
                    elif name == "hue":
                        value = turned(pixel, f, c, wide)
                    else:
                        other = mean if name == "contrast" else grey(pixel)
                        value = f * pixel[c] + (1 - f) * other
                    y[n, c, p, q] = clipped(value)
    return y.astype(x.dtype)


def turned(pixel, f, channel, wide):
    red, green, blue = pixel
    largest = max(pixel)
    spread = largest - min(pixel)
    divisor = spread if spread else wide(1)
    if red == largest:
        h = (green - blue) / divisor
    elif green == largest:
        h = (blue - red) / divisor + wide(2)
    else:
        h = (red - green) / divisor + wide(4)
    k = (h + wide(6) * f) + wide((5, 3, 1)[channel])
    k = k - wide(6) * np.floor(k / wide(6))
    return largest - spread * min(max(min(k, wide(4) - k), wide(0)), wide(1))
