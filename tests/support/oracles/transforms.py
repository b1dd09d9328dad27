"""Parameters of random transforms, one sample at a time with Python's math. Imports nothing from gpudl."""

import math

import numpy as np

from tests.support.oracles import philox


def words(seed, index, count, epoch=0, position=0):
    """The random words of one sample: see `gpudl.data.transforms._base`."""
    stream = (1 << 63) + (position << 48) + epoch
    return iter(philox.words_of_rows(seed, stream, [index], count)[0].tolist())


def uniform(word, low, high):
    return low + (high - low) * word / 2**32


def resized_box(drawn, height, width, scale, ratio):
    """(top, left, height, width) as torchvision's RandomResizedCrop chooses it."""
    areas = [uniform(next(drawn), *scale) * height * width for _ in range(10)]
    ratios = [math.exp(uniform(next(drawn), math.log(ratio[0]), math.log(ratio[1]))) for _ in range(10)]
    down, across = next(drawn), next(drawn)
    for area, proportion in zip(areas, ratios, strict=True):
        w, h = round(math.sqrt(area * proportion)), round(math.sqrt(area / proportion))
        if 0 < w <= width and 0 < h <= height:
            return down * (height - h + 1) >> 32, across * (width - w + 1) >> 32, h, w
    if width / height < ratio[0]:
        w, h = width, round(width / ratio[0])
    elif width / height > ratio[1]:
        h, w = height, round(height * ratio[1])
    else:
        h, w = height, width
    return (height - h) // 2, (width - w) // 2, h, w


def erased_box(drawn, height, width, p, scale, ratio):
    """(top, left, height, width) as torchvision's RandomErasing chooses it, or None."""
    chosen = next(drawn) / 2**32 < p
    areas = [uniform(next(drawn), *scale) * height * width for _ in range(10)]
    ratios = [math.exp(uniform(next(drawn), math.log(ratio[0]), math.log(ratio[1]))) for _ in range(10)]
    down, across = next(drawn), next(drawn)
    for area, proportion in zip(areas, ratios, strict=True):
        h, w = round(math.sqrt(area * proportion)), round(math.sqrt(area / proportion))
        if h < height and w < width:
            return (down * (height - h + 1) >> 32, across * (width - w + 1) >> 32, h, w) if chosen else None
    return None


def affine_matrix(angle, translate, scale, shear, center, height, width):
    """(2, 3): the inverse, by numpy.linalg, of moving to the centre, shearing, rotating, scaling and moving back."""
    radians, x, y = math.radians(angle), *(center or (width / 2, height / 2))
    sx, sy = (math.radians(s) for s in shear)

    def move(dx, dy):
        return np.array([[1, 0, dx], [0, 1, dy], [0, 0, 1]])

    rotation = np.array(
        [[math.cos(radians), -math.sin(radians), 0], [math.sin(radians), math.cos(radians), 0], [0, 0, 1]]
    )
    # torchvision: rotation @ (shear along y) @ (shear along x)
    along_y = np.array([[1, 0, 0], [-math.tan(sy), 1, 0], [0, 0, 1]])
    along_x = np.array([[1, -math.tan(sx), 0], [0, 1, 0], [0, 0, 1]])
    about = rotation @ along_y @ along_x @ np.diag([scale, scale, 1])
    forward = move(*translate) @ move(x, y) @ about @ move(-x, -y)
    to_edges, to_centers = move(0.5, 0.5), move(-0.5, -0.5)
    return (to_centers @ np.linalg.inv(forward) @ to_edges)[:2]
