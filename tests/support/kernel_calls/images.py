"""Calls of the image transforms. uint8 images come with the calls of float32."""

import numpy as np

from gpudl.ops.image_resize import _taps
from tests.support.kernel_calls.base import Cost, aligned, both

# (N, C, H, W) and an offset: pixels of 1 to 16 bytes and longer ones, more than one block, memory off the grid.
SHAPES = [
    ((0, 3, 4, 5), 0),
    ((2, 3, 9, 17), 0),
    ((3, 1, 7, 6), 1),
    ((1, 4, 5, 8), 0),
    ((2, 33, 4, 5), 0),
    ((1, 16, 3, 5), 1),
]
LARGE = (2, 3, 32, 64)


def dtypes(dtype):
    return (np.dtype(np.uint8), dtype) if dtype == np.float32 else (dtype,)


def wide(dtype):
    return np.float64 if dtype == np.float64 else np.float32


def image(shape, dtype, offset=0, seed=0):
    """(N, C, H, W) in channels-last memory."""
    n, c, h, w = shape
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 256, (n, h, w, c)) if dtype == np.uint8 else rng.random((n, h, w, c))
    return aligned(values.astype(dtype), offset).transpose(0, 3, 1, 2)


def fill(channels, dtype, offset=0):
    return aligned(np.arange(1, channels + 1).astype(dtype), offset)


def every_shape(maker):
    def calls(dtype):
        for kind in dtypes(dtype):
            for shape, offset in SHAPES:
                yield from maker(shape, kind, offset)

    return calls


def crop_table(n, size):
    """Windows of size + 3: one reaches beyond both ends, one is mirrored, one repeats what is there."""
    places = np.arange(size + 3) - 1
    inside = np.where((places >= 0) & (places < size), places, -1)
    return np.stack([inside, inside[::-1], places % size])[:n].astype(np.int32)


def crop(shape, dtype, offset):
    n, c, h, w = shape
    rows, columns = (aligned(crop_table(n, size)) for size in (h, w))
    x, y = image(shape, dtype, offset), image((n, c, h + 3, w + 3), dtype)
    yield [x, rows, columns, fill(c, dtype, offset), y], {}


def erase(shape, dtype, offset):
    n, c, h, w = shape
    edges = np.array([[0, 3, 1, w], [1, 1, 0, w], [2, h, 0, 2]][:n], np.int32).reshape(n, 4)
    yield [image(shape, dtype, offset), aligned(edges), fill(c, dtype), image(shape, dtype)], {}


def matrices(n):
    made = np.random.default_rng(1).standard_normal((n, 2, 3)) * [1, 1, 4]
    made[:1] = [[0.5, 0.25, 0], [0, 1, -0.5]]
    return aligned(made.astype(np.float32))


def affine(shape, dtype, offset):
    n, c, h, w = shape
    for interpolation in ("nearest", "bilinear"):
        arrays = [
            image(shape, dtype, offset),
            matrices(n),
            fill(c, dtype),
            image((n, c, h + 1, w + 2), dtype),
        ]
        yield arrays, {"interpolation": interpolation}


def resized(shape, size, dtype, offset=0, *, boxes=None, interpolation="bilinear", antialias=True):
    n, c, h, w = shape
    table = np.tile([0, 0, h, w], (n, 1)) if boxes is None else boxes
    taps = [
        aligned(values)
        for axis in range(2)
        for values in _taps(table[:, axis], table[:, axis + 2], size[axis], interpolation, antialias, dtype)
    ]
    return [image(shape, dtype, offset), *taps, image((n, c, *size), dtype)], {}


def resize(shape, dtype, offset):
    n, _, h, w = shape
    if n == 0:
        return
    boxes = np.array([[0, 0, h, w], [1, 2, h - 1, w - 3], [h - 1, 0, 1, w]])[:n]
    for size in [(2, 3), (h, w), (h + 4, w + 5)]:
        yield resized(shape, size, dtype, offset, boxes=boxes)
        yield resized(shape, size, dtype, offset, interpolation="nearest")
        yield resized(shape, size, dtype, offset, antialias=False)


def color_tables(n, dtype, colored=True):
    rng = np.random.default_rng(3)
    factors = np.concatenate([rng.uniform(0.3, 1.8, (n, 3)), rng.uniform(-0.5, 0.5, (n, 1))], axis=1)
    steps = np.array([[0, 1, 2, 3], [3, 2, 4, 0], [2, 0, 3, 1]][:n], np.uint8).reshape(n, 4)
    if not colored:
        steps[...] = [4, 0, 4, 4]
    return aligned(factors.astype(wide(dtype))), aligned(steps)


def color(shape, dtype, offset):
    tables = color_tables(shape[0], dtype, colored=shape[1] == 3)
    yield [image(shape, dtype, offset), *tables, image(shape, dtype)], {}
    if shape[1] == 1:
        factors, steps = color_tables(shape[0], dtype)
        steps[steps > 1] = 4
        yield [image(shape, dtype, offset), factors, steps, image(shape, dtype)], {}


def several_pieces(dtype):
    """An image of more pixels than one block sums, and of a batch that has no contrast."""
    for kind in dtypes(dtype):
        x = image((1, 3, 65, 66), kind)
        yield [x, *color_tables(1, kind), image(x.shape, kind)], {}
        yield [x, color_tables(1, kind)[0], aligned(np.full((1, 4), 4, np.uint8)), image(x.shape, kind)], {}


def normalize(shape, dtype, offset, made=None):
    made = made or (np.dtype(np.float32) if dtype == np.uint8 else dtype)
    n, c, h, w = shape
    kind = np.float64 if np.float64 in (dtype, made) else np.float32
    mean, factor = (aligned(np.linspace(*ends, c).astype(kind)) for ends in ((0.3, 0.6), (4, -3)))
    x = image(shape, dtype, offset).transpose(0, 2, 3, 1)
    yield [x, mean, factor, aligned(np.zeros((n, h, w, c), made))], {"planes": 0}
    planes = aligned(np.ascontiguousarray(x.transpose(0, 3, 1, 2)), offset)
    yield [planes, mean, factor, aligned(np.zeros((n, h, w, c), made), offset)], {"planes": 1}


def normalize_to(dtype):
    """To every dtype, of planes longer than a tile too."""
    for given in dtypes(dtype):
        for made in (np.float16, np.float32, np.float64, dtype):
            for shape in [(2, 3, 5, 7), (1, 2, 31, 40)]:
                yield from normalize(shape, given, 0, np.dtype(made))


AUGMENT_TABLES = (
    "rows", "columns", "crop_fill", "matrices", "affine_fill", "factors", "steps", "edges", "value", "mean", "factor",
    "edges_after", "value_after",
)  # fmt: skip


def augmented(shape, size, dtype, offset=0, *, interpolation="nearest", **tables):
    """uint8 images to images of `size` and `dtype`; tables : those that are not None."""
    arrays = [tables.get(name) for name in AUGMENT_TABLES]
    y = image((*shape[:2], *size), dtype, offset)
    return [image(shape, np.dtype(np.uint8), offset), *arrays, y], {"interpolation": interpolation}


def augment_tables(shape, dtype):
    """By stage, for a crop to three more rows and columns and an affine map to one row and two columns more."""
    n, c, h, w = shape
    factors, steps = color_tables(n, np.uint8, colored=c in (1, 3))
    if c == 1:
        steps[steps > 1] = 4
    edges = aligned(np.array([[0, 3, 1, w], [1, 1, 0, w], [2, h, 0, 2]][:n], np.int32).reshape(n, 4))
    mean, factor = (aligned(np.linspace(*ends, c).astype(wide(dtype))) for ends in ((90, 120), (0.02, -0.01)))
    return {
        "crop": {"rows": aligned(crop_table(n, h)), "columns": aligned(crop_table(n, w)), "crop_fill": fill(c, np.uint8)},
        "affine": {"matrices": matrices(n), "affine_fill": fill(c, np.uint8, 1)},
        "color": {"factors": factors, "steps": steps},
        "erase": {"edges": edges, "value": fill(c, np.uint8)},
        "normalize": {} if dtype == np.uint8 else {"mean": mean, "factor": factor},
        "erase_after": {"edges_after": edges[::-1].copy(), "value_after": fill(c, dtype)},
    }  # fmt: skip


def augment(shape, dtype, offset):
    h, w = shape[2:]
    every = augment_tables(shape, dtype)
    crop, affine, color, normalize = (every[name] for name in ("crop", "affine", "color", "normalize"))
    whole = {name: table for stage in every.values() for name, table in stage.items()}
    yield augmented(shape, (h + 1, w + 2), dtype, offset, interpolation="bilinear", **whole)
    yield augmented(shape, (h + 1, w + 2), dtype, **crop, **affine, **normalize)
    yield augmented(shape, (h, w), dtype, offset, **color, **normalize)
    yield augmented(shape, (h, w), dtype, **every["erase"], **normalize)
    yield augmented(shape, (h + 3, w + 3), dtype, offset, **crop, **normalize, **every["erase_after"])


def augment_several_blocks(dtype):
    """An image that several blocks share, which all sum its grey; and one without colours."""
    for kind in dtypes(dtype):
        shape = (1, 3, 65, 66)
        tables = augment_tables(shape, kind)
        yield augmented(shape, (68, 69), kind, **tables["crop"], **tables["color"], **tables["normalize"])
        yield augmented(shape, (68, 69), kind, **tables["crop"], **tables["normalize"])


CALLS = {
    "image_augment": both(every_shape(augment), augment_several_blocks),
    "image_crop": every_shape(crop),
    "image_erase": every_shape(erase),
    "image_affine": every_shape(affine),
    "image_resize": every_shape(resize),
    "image_color": both(every_shape(color), several_pieces),
    "image_normalize": both(every_shape(normalize), normalize_to),
}


def large_crop(dtype):
    n, c, h, w = LARGE
    rows, columns = (np.tile(np.arange(size, dtype=np.int32), (n, 1)) for size in (h, w))
    yield [image(LARGE, dtype), aligned(rows), aligned(columns), fill(c, dtype), image(LARGE, dtype)], {}


def large_erase(dtype):
    edges = aligned(np.zeros((2, 4), np.int32))
    yield [image(LARGE, dtype), edges, fill(3, dtype), image(LARGE, dtype)], {}


def large_affine(dtype):
    identity = aligned(np.tile(np.eye(2, 3, dtype=np.float32), (2, 1, 1)))
    yield [image(LARGE, dtype), identity, fill(3, dtype), image(LARGE, dtype)], {"interpolation": "nearest"}


def large_resize(dtype):
    """Halves without antialias: every pixel is in one sum."""
    yield resized(LARGE, (16, 32), dtype, antialias=False)


def large_color(dtype):
    yield [image(LARGE, dtype), *color_tables(2, dtype), image(LARGE, dtype)], {}


def large_normalize(dtype):
    """Planes, which are turned, of which a warp reads and writes runs of 32 elements."""
    x = image(LARGE, dtype).transpose(0, 2, 3, 1)
    tables = [aligned(np.ones(3, wide(dtype))) for _ in range(2)]
    yield (
        [aligned(np.ascontiguousarray(x.transpose(0, 3, 1, 2))), *tables, aligned(np.zeros_like(x))],
        {"planes": 1},
    )


def large_augment(dtype):
    """Every stage but the contrast, for which the image is read as often as it has blocks, and once more."""
    n, _, h, w = LARGE
    tables = {name: table for stage in augment_tables(LARGE, dtype).values() for name, table in stage.items()}
    tables["rows"], tables["columns"] = (
        aligned(np.tile(np.arange(size, dtype=np.int32), (n, 1))) for size in (h, w)
    )
    tables["matrices"] = aligned(np.tile(np.eye(2, 3, dtype=np.float32), (n, 1, 1)))
    tables["steps"] = aligned(np.tile(np.array([0, 2, 3, 4], np.uint8), (n, 1)))
    tables["edges"][...] = tables["edges_after"][...] = 0
    yield augmented(LARGE, (h, w), dtype, **tables)


def channels_in_turn(dtype):
    """A thread moves the three channels of its pixel one after the other; the second and third find their sectors in L1."""
    return 3


def taps_and_channels_in_turn(dtype):
    """The two columns of a result are neighbours, which the same sector holds, in each of the three channels."""
    return 2 * channels_in_turn(dtype)


COSTS = {
    "image_augment": Cost(large_augment, channels_in_turn, tables=AUGMENT_TABLES),
    "image_crop": Cost(large_crop, channels_in_turn, tables=("rows", "columns", "fill")),
    "image_erase": Cost(large_erase, channels_in_turn, tables=("edges", "value")),
    "image_affine": Cost(large_affine, channels_in_turn, tables=("matrices", "fill")),
    "image_resize": Cost(
        large_resize,
        taps_and_channels_in_turn,
        tables=("row_first", "row_weights", "row_count", "column_first", "column_weights", "column_count"),
    ),
    "image_color": Cost(large_color, channels_in_turn, tables=("factors", "steps", "scratch")),
    "image_normalize": Cost(large_normalize, tables=("mean", "factor")),
}
