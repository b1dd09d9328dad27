"""Readers: every format written by hand and read back, and every way in which a file can be hostile."""

import gzip
import io
import math
import zipfile

import numpy as np
import pytest

from gpudl.data import readers
from gpudl.data.readers import DataFormatError
from gpudl.data.readers.image_folder import read_image
from tests.support.arrays import assert_refuses

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (7, 5, 6)).astype(np.uint8)
LABELS = np.array([0, 1, 2, 0, 1, 2, 0], np.uint8)


def idx_bytes(array):
    extents = b"".join(extent.to_bytes(4, "big") for extent in array.shape)
    return bytes([0, 0, 8, array.ndim]) + extents + array.tobytes()


def write_mnist(folder, zipped=False, test=True):
    for prefix in ("train", "t10k") if test else ("train",):
        for kind, array in (("images-idx3", IMAGES), ("labels-idx1", LABELS)):
            data = idx_bytes(array)
            name = f"{prefix}-{kind}-ubyte" + (".gz" if zipped else "")
            (folder / name).write_bytes(gzip.compress(data) if zipped else data)


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("test", [False, True])
def test_idx(tmp_path, zipped, test):
    write_mnist(tmp_path, zipped, test)
    data = readers.open_dataset(tmp_path)
    assert np.array_equal(data.train.arrays[0], IMAGES[:, None])
    assert data.train.arrays[1].tolist() == LABELS.tolist()
    assert data.train.arrays[1].dtype == np.int64
    assert (data.test is None) == (not test)
    assert data.classes == ("0", "1", "2")
    assert data.image_shape == (1, 5, 6)
    assert data.name == tmp_path.name


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda data: data[:-1], "shape (7, 5, 6) needs 210 bytes, got 209"),
        (lambda data: data + b"\0", "shape (7, 5, 6) needs 210 bytes, got more"),
        (lambda data: b"\0\0\x0d" + data[3:], "expected an IDX file of unsigned bytes"),
        (lambda data: b"", "expected an IDX file of unsigned bytes"),
        (lambda data: data[:9], "the header ends after 9 bytes, expected 16"),
        (lambda data: data[:4] + b"\xff" * 12 + data[16:], "more than the file can hold"),
        (lambda data: data[:3] + b"\x01" + data[4:8] + b"\x01" * 7, "expected shape (N, H, W), got (7,)"),
    ],
)
def test_hostile_idx(tmp_path, zipped, spoil, words):
    write_mnist(tmp_path, zipped)
    file = next(tmp_path.glob("train-images*"))
    data = spoil(idx_bytes(IMAGES))
    file.write_bytes(gzip.compress(data) if zipped else data)
    assert_refuses(lambda: readers.open_dataset(tmp_path), DataFormatError, words)
    assert_refuses(lambda: readers.open_dataset(tmp_path), DataFormatError, str(file))


def test_damaged_gzip(tmp_path):
    write_mnist(tmp_path, zipped=True)
    file = tmp_path / "train-labels-idx1-ubyte.gz"
    file.write_bytes(file.read_bytes()[:-9])
    assert_refuses(lambda: readers.open_dataset(tmp_path), DataFormatError, "damaged gzip data")


def test_counts_and_missing_files(tmp_path):
    write_mnist(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx_bytes(LABELS[:3]))
    assert_refuses(lambda: readers.open_dataset(tmp_path), DataFormatError, "test has 7 images but 3 labels")
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    assert_refuses(lambda: readers.open_dataset(tmp_path), FileNotFoundError, "no file t10k-labels")


def test_more_than_the_memory_is_refused_before_it_is_taken(tmp_path, monkeypatch):
    write_mnist(tmp_path, zipped=True)
    np.savez_compressed(tmp_path / "a.npz", x=IMAGES, y=LABELS)
    monkeypatch.setattr("gpudl.data.readers._common._memory", lambda: 209)
    words = "need 0.0 GB, more than the memory of this machine, 0.0 GB"
    for path, what in (
        (tmp_path, "bytes of shape (7, 5, 6) " + words),
        (tmp_path / "a.npz", "values of x, uint8 of shape (7, 5, 6), " + words),
    ):
        assert_refuses(lambda path=path: readers.open_dataset(path), DataFormatError, what)


def cifar_bytes(count, seed=0, label=None):
    records = np.random.default_rng(seed).integers(0, 256, (count, 3073)).astype(np.uint8)
    records[:, 0] = np.arange(count) % 10 if label is None else label
    return records


@pytest.mark.parametrize("inner", [False, True])
def test_cifar10(tmp_path, inner):
    folder = tmp_path / "cifar-10-batches-bin" if inner else tmp_path
    folder.mkdir(exist_ok=True)
    parts = [cifar_bytes(4, 1), cifar_bytes(3, 2)]
    for i, part in enumerate(parts):
        (folder / f"data_batch_{i + 1}.bin").write_bytes(part.tobytes())
    assert readers.open_dataset(tmp_path).test is None
    (folder / "test_batch.bin").write_bytes(parts[0].tobytes())
    data = readers.open_dataset(tmp_path)
    records = np.concatenate(parts)
    assert np.array_equal(data.train.arrays[0], records[:, 1:].reshape(-1, 3, 32, 32))
    assert data.train.arrays[1].tolist() == [0, 1, 2, 3, 0, 1, 2]
    assert len(data.test) == 4
    assert data.classes[3] == "cat"
    (folder / "test_batch.bin").write_bytes(parts[0].tobytes()[:-1])
    assert_refuses(
        lambda: readers.open_dataset(tmp_path), DataFormatError, "records of 3073 bytes, got 12291 bytes"
    )
    (folder / "test_batch.bin").write_bytes(cifar_bytes(2, label=10).tobytes())
    assert_refuses(
        lambda: readers.open_dataset(tmp_path), DataFormatError, "labels must be in [0, 10), got 10"
    )


@pytest.mark.parametrize(
    ("x", "shape"),
    [
        (IMAGES, (1, 5, 6)),
        (np.zeros((7, 3, 5, 6), np.float32), (3, 5, 6)),
        (np.zeros((7, 5, 6, 3), np.uint8), (3, 5, 6)),
    ],
)
def test_npz(tmp_path, x, shape):
    path = tmp_path / "some.npz"
    for save in (np.savez, np.savez_compressed):
        save(path, x=x, y=LABELS)
        data = readers.open_dataset(path)
        assert data.image_shape == shape
        assert data.test is None
        assert data.name == "some"
        save(path, x=x, y=LABELS.astype(np.int32), x_test=x[:2], y_test=LABELS[:2])
        assert len(readers.open_dataset(str(path)).test) == 2


def test_npz_in_the_byte_order_of_another_machine(tmp_path):
    path = tmp_path / "some.npz"
    np.savez(path, x=IMAGES.astype(">f4"), y=LABELS.astype(">i2"))
    data = readers.npz(path)
    assert [array.dtype.str for array in data.train.arrays] == ["<f4", "<i8"] or np.little_endian is False
    assert np.array_equal(data.train.arrays[0], IMAGES[:, None])
    assert np.array_equal(data.train.arrays[1], LABELS)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": IMAGES}, "expected arrays x and y"),
        ({"x": IMAGES, "y": LABELS, "x_test": IMAGES}, "expected both x_test and y_test, or neither"),
        ({"x": IMAGES, "y": LABELS[:3]}, "train has 7 images but 3 labels"),
        (
            {"x": IMAGES.astype(int), "y": LABELS},
            "x must be one of uint8, float16, float32, float64, got int64",
        ),
        ({"x": IMAGES.astype(np.longdouble), "y": LABELS}, f"got {np.dtype(np.longdouble)}"),
        ({"x": IMAGES[:, :0], "y": LABELS}, "train images have no pixels, got shape (1, 0, 6)"),
        (
            {"x": IMAGES, "y": LABELS, "x_test": IMAGES / 255, "y_test": LABELS},
            "train and test images must have one dtype, got float64 and uint8",
        ),
        ({"x": IMAGES[0], "y": LABELS}, "x must have shape (N, H, W)"),
        ({"x": IMAGES, "y": LABELS.astype(float)}, "labels must be integers of shape (N,), got float64 (7,)"),
        ({"x": IMAGES, "y": LABELS.astype(int) - 1}, "labels must be in [0, 2), got -1"),
        ({"x": IMAGES[:0], "y": LABELS[:0]}, "train has no images"),
        ({"x": IMAGES, "y": np.array([None] * 7)}, "y holds Python objects, expected numbers"),
        (
            {"x": IMAGES, "y": LABELS, "x_test": IMAGES[:, :4], "y_test": LABELS},
            "train and test images must have one shape",
        ),
    ],
)
def test_wrong_npz(tmp_path, arrays, words):
    path = tmp_path / "some.npz"
    np.savez(path, **arrays)
    assert_refuses(lambda: readers.open_dataset(path), DataFormatError, words)


def test_hostile_npz(tmp_path):
    path = tmp_path / "some.npz"
    path.write_bytes(b"PK\3\4 this is no archive")
    assert_refuses(lambda: readers.npz(path), DataFormatError, "damaged archive")
    np.savez(path, x=IMAGES, y=LABELS)
    whole = path.read_bytes()
    path.write_bytes(whole[:100] + whole[120:])
    assert_refuses(lambda: readers.npz(path), DataFormatError, str(path))
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"shape": (1 << 40, 28, 28), "fortran_order": False, "descr": "|u1"}
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", header.getvalue() + b"\0" * 50)
        archive.writestr("y.npy", header.getvalue())
    assert_refuses(lambda: readers.npz(path), DataFormatError, "does not fit its")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", b"no array at all")
    assert_refuses(lambda: readers.npz(path), DataFormatError, "x is no .npy array")


@pytest.mark.parametrize("shape", [(1 << 70, 0, 4), (True, 5, 6), (-7, -5, 6), (1 << 62, 0, 4)], ids=str)
def test_npz_of_shapes_that_are_none(tmp_path, shape):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
    with zipfile.ZipFile(tmp_path / "some.npz", "w") as archive:
        archive.writestr("x.npy", header.getvalue() + bytes(math.prod(shape)))
    assert_refuses(
        lambda: readers.npz(tmp_path / "some.npz"), DataFormatError, f"{tmp_path}/some.npz: damaged archive"
    )


def write_images(folder, modes=("L", "RGB"), sizes=((6, 5), (6, 5))):
    image = pytest.importorskip("PIL.Image")
    for label, name in enumerate(("cat", "dog")):
        (folder / name).mkdir(parents=True)
        for i in range(3):
            picture = image.new(modes[label], sizes[label], 40 * i if modes[label] == "L" else (40 * i, 9, 7))
            picture.save(folder / name / f"{i}.png")


def test_image_folders(tmp_path):
    write_images(tmp_path / "grey", ("L", "L"))
    data = readers.open_dataset(tmp_path / "grey")
    assert data.classes == ("cat", "dog")
    assert data.image_shape == (1, 5, 6)
    assert data.train.arrays[0][:, 0, 0, 0].tolist() == [0, 40, 80] * 2
    assert data.train.arrays[1].tolist() == [0, 0, 0, 1, 1, 1]
    write_images(tmp_path / "colour" / "train")
    write_images(tmp_path / "colour" / "test")
    data = readers.open_dataset(tmp_path / "colour")
    assert data.train.arrays[0][4, :, 0, 0].tolist() == [40, 9, 7]
    assert len(data.test) == 6
    (tmp_path / "colour" / "test").rename(tmp_path / "colour" / "val")
    assert len(readers.open_dataset(tmp_path / "colour").test) == 6
    (tmp_path / "colour" / "test").mkdir()
    assert_refuses(
        lambda: readers.open_dataset(tmp_path / "colour"), DataFormatError, "one of the folders test and val"
    )


def save_images(folder, **pictures):
    """Each at folder/<name up to the last _>/<name>, with the ending after that _."""
    for name, picture in pictures.items():
        label, ending = name.rsplit("_", 1)
        (folder / label).mkdir(parents=True, exist_ok=True)
        picture.save(folder / label / f"{name}.{ending}")


@pytest.mark.parametrize("order", ["<u2", ">u2"])
def test_sixteen_bits_are_scaled_to_eight(tmp_path, order):
    image = pytest.importorskip("PIL.Image")
    levels = np.array([[0, 128, 129, 257, 385], [386, 32767, 32768, 65406, 65535]], np.uint16)
    picture = image.frombytes("I;16" if order == "<u2" else "I;16B", (5, 2), levels.astype(order).tobytes())
    save_images(tmp_path / "grey", a_tif=picture, a_png=image.fromarray(levels))
    data = readers.image_folder(tmp_path / "grey")
    expected = np.rint(levels / 257).astype(np.uint8)
    assert np.array_equal(data.train.arrays[0], np.broadcast_to(expected, (2, 1, 2, 5)))
    save_images(tmp_path / "mixed", a_tif=picture, b_png=image.new("RGB", (5, 2), (9, 8, 7)))
    data = readers.image_folder(tmp_path / "mixed")
    assert np.array_equal(data.train.arrays[0][0], np.broadcast_to(expected, (3, 2, 5)))


@pytest.mark.parametrize("mode", ["I", "F"])
def test_grey_levels_of_unknown_range_are_refused(tmp_path, mode):
    image = pytest.importorskip("PIL.Image")
    save_images(tmp_path, a_tif=image.new(mode, (5, 4), 1))
    words = f"a_tif.tif: grey levels of 32 bits (mode '{mode}') have no known range"
    assert_refuses(lambda: readers.image_folder(tmp_path), DataFormatError, words)
    file = next(tmp_path.rglob("a_tif.tif"))
    assert_refuses(lambda: read_image(file, (1, 4, 5)), DataFormatError, words)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["png", "tif", "jpg"])
def test_photographs_are_turned_as_their_exif_says(tmp_path, ending, orientation):
    image = pytest.importorskip("PIL.Image")
    from PIL import ImageOps

    blocks = np.kron(np.array([[0, 80, 160], [255, 120, 40]], np.uint8), np.ones((16, 16), np.uint8))
    exif = image.Exif()
    exif[0x0112] = orientation
    (tmp_path / "a").mkdir()
    file = tmp_path / "a" / f"1.{ending}"
    # Pillow 13 garbles turned TIFF files that are not compressed.
    image.fromarray(blocks).save(file, exif=exif, compression="tiff_lzw" if ending == "tif" else None)
    data = readers.image_folder(tmp_path)
    expected = np.asarray(ImageOps.exif_transpose(image.open(file)))
    assert np.array_equal(data.train.arrays[0][0, 0], expected)
    assert expected.shape == ((48, 32) if orientation > 4 else (32, 48))


def test_kinds_of_pictures(tmp_path):
    image = pytest.importorskip("PIL.Image")
    colour = image.new("RGB", (6, 5), (200, 100, 50))
    (tmp_path / "gif").mkdir()
    colour.save(tmp_path / "gif" / "1.gif", save_all=True, append_images=[image.new("RGB", (6, 5))])
    save_images(
        tmp_path,
        palette_png=colour.convert("P", palette=image.Palette.ADAPTIVE),
        print_jpg=colour.convert("CMYK"),
        seen_png=image.new("RGBA", (6, 5), (200, 100, 50, 3)),
        shade_png=image.new("LA", (6, 5), (7, 0)),
        stroke_png=image.new("1", (6, 5), 1),
    )
    data = readers.image_folder(tmp_path)
    assert data.classes == ("gif", "palette", "print", "seen", "shade", "stroke")
    pixels = data.train.arrays[0][:, :, 0, 0].astype(int)
    expected = [[200, 100, 50]] * 4 + [[7] * 3, [255] * 3]
    # JPEG's quantisation moves a level by a few.
    assert (np.abs(pixels - expected) <= np.where(np.arange(6) == 2, 4, 0)[:, None]).all()


def test_what_a_folder_may_hold_besides(tmp_path):
    write_images(tmp_path)
    for name in (".git", "__MACOSX"):
        (tmp_path / name).mkdir()
    (tmp_path / "cat" / "._1.png").write_bytes(b"a file of another system")
    (tmp_path / "cat" / "notes.txt").write_text("no image")
    assert_refuses(
        lambda: readers.image_folder(tmp_path), FileNotFoundError, "no images in the folders ['__MACOSX']"
    )
    (tmp_path / "__MACOSX").rmdir()
    data = readers.image_folder(tmp_path)
    assert data.classes == ("cat", "dog")
    assert len(data.train) == 6


def test_test_parts_have_the_classes_of_the_training_part(tmp_path):
    write_images(tmp_path / "train")
    write_images(tmp_path / "test")
    (tmp_path / "test" / "cat").rename(tmp_path / "test" / "cow")
    assert_refuses(
        lambda: readers.image_folder(tmp_path),
        DataFormatError,
        "folders ['cow'] are no classes of the training part",
    )
    (tmp_path / "test" / "cow").rename(tmp_path / ".cow")
    assert set(readers.image_folder(tmp_path).test.arrays[1].tolist()) == {1}


@pytest.mark.parametrize(
    ("size", "exception", "words"),
    [
        (0, ValueError, "image_size must be at least 1, got 0"),
        ((5, -1), ValueError, "image_size must be at least 1, got -1"),
        (True, TypeError, "image_size must be an int, got bool"),
        ("8", TypeError, "image_size must be an int, got str"),
        (8.5, TypeError, "image_size must be an int, got float"),
        ((8,), ValueError, "image_size must be an int or 2 ints, got (8,)"),
    ],
)
def test_image_size_is_checked_before_files_are_read(tmp_path, size, exception, words):
    assert_refuses(lambda: readers.image_folder(tmp_path / "absent", size), exception, words)


def test_images_of_several_sizes(tmp_path):
    write_images(tmp_path, sizes=((6, 5), (8, 8)))
    assert_refuses(lambda: readers.open_dataset(tmp_path), DataFormatError, "size 8x8 differs from 6x5")
    assert readers.open_dataset(tmp_path, image_size=4).image_shape == (3, 4, 4)
    assert readers.open_dataset(tmp_path, image_size=(4, 7)).image_shape == (3, 4, 7)


def test_hostile_images(tmp_path):
    write_images(tmp_path)
    file = tmp_path / "dog" / "1.png"
    whole = file.read_bytes()
    file.write_bytes(whole[:40])
    assert_refuses(lambda: readers.open_dataset(tmp_path), DataFormatError, str(file))
    file.write_bytes(b"no image")
    assert_refuses(lambda: readers.open_dataset(tmp_path), DataFormatError, "no image that Pillow reads")
    file.write_bytes(whole)
    (tmp_path / "test" / "bird").mkdir(parents=True)
    (tmp_path / "train").mkdir()
    (tmp_path / "cat").rename(tmp_path / "train" / "cat")
    assert_refuses(lambda: readers.open_dataset(tmp_path), DataFormatError, "folders ['bird'] are no classes")


def _is_damaged(file, read):
    """Whether `read` refuses the file, by name; any other exception is a failure of the test."""
    try:
        read()
    except DataFormatError as error:
        message = str(error)
    else:
        return False
    assert str(file) in message
    return True


@pytest.mark.filterwarnings("ignore")  # Pillow warns of what it mends
@pytest.mark.parametrize(
    "ending", ["png", "jpg", "gif", "bmp", "tif", "webp", "ppm", "npz", "zip.npz", "idx", "gz"]
)
def test_damage_at_random_places_is_an_error_of_the_file(tmp_path, ending):
    image = pytest.importorskip("PIL.Image")
    (tmp_path / "a").mkdir()
    file = tmp_path / "a" / f"1.{ending}"
    if "npz" in ending:
        (np.savez if ending == "npz" else np.savez_compressed)(file, x=IMAGES, y=LABELS)
    elif ending in ("idx", "gz"):
        file.write_bytes(idx_bytes(IMAGES) if ending == "idx" else gzip.compress(idx_bytes(IMAGES)))
    else:
        exif = image.Exif()
        exif[0x0112] = 6
        options = {"exif": exif} if ending in ("png", "jpg", "tif", "webp") else {}
        image.fromarray(RNG.integers(0, 256, (9, 8, 3)).astype(np.uint8)).save(file, **options)
    read = {"npz": readers.npz, "idx": readers.read_idx, "gz": readers.read_idx}.get(ending.split(".")[-1])
    whole, damaged = file.read_bytes(), 0
    numbers = np.random.default_rng(len(whole))
    for trial in range(120):
        data = bytearray(whole[: numbers.integers(len(whole)) if trial % 3 == 0 else None])
        for _ in range(numbers.integers(1, 9)):
            if data:
                data[numbers.integers(len(data))] = numbers.integers(256)
        file.write_bytes(bytes(data))
        damaged += _is_damaged(file, lambda: readers.image_folder(tmp_path) if read is None else read(file))
    assert damaged > 10


def test_digits():
    pytest.importorskip("sklearn")
    data = readers.open_dataset("digits")
    assert (len(data.train), len(data.test)) == (1437, 360)
    assert data.image_shape == (1, 8, 8)
    assert data.train.arrays[0].max() == 255
    assert np.bincount(data.test.arrays[1]).min() >= 34
    again = readers.digits()
    assert np.array_equal(again.train.arrays[0], data.train.arrays[0])


def test_what_is_no_data(tmp_path):
    assert_refuses(
        lambda: readers.open_dataset("nowhere"), FileNotFoundError, "nowhere: no such file or folder"
    )
    assert_refuses(
        lambda: readers.open_dataset(tmp_path), ValueError, "expected an .npz file, or a folder with"
    )
    assert_refuses(
        lambda: readers.open_dataset("digits", 8), ValueError, "image_size acts on folders of images only"
    )
    assert_refuses(lambda: readers.image_folder(tmp_path), FileNotFoundError, "no folder for a class")
    assert_refuses(lambda: readers.cifar10(tmp_path), FileNotFoundError, "no file data_batch_*.bin")
    (tmp_path / "a").mkdir()
    assert_refuses(
        lambda: readers.image_folder(tmp_path), FileNotFoundError, "no images in the folders ['a']"
    )


def test_values_that_are_no_numbers(tmp_path):
    x = np.zeros((3, 4, 4), np.float32)
    for value in (np.nan, np.inf):
        x[2, 1, 1] = value
        np.savez(tmp_path / "x.npz", x=x, y=[0, 1, 2])
        assert_refuses(
            lambda: readers.npz(tmp_path / "x.npz"), ValueError, "train image 2 holds NaN or infinite values"
        )


def test_hidden_files_and_too_many_pixels(tmp_path, monkeypatch):
    from PIL import Image

    for name in ("a", "b", ".cache"):
        (tmp_path / name).mkdir()
        Image.new("L", (6, 5)).save(tmp_path / name / "1.png")
    (tmp_path / "a" / "._1.png").write_bytes(b"no image")
    read = readers.image_folder(tmp_path)
    assert read.classes == ("a", "b")
    assert read.train.arrays[0].shape == (2, 1, 5, 6)
    monkeypatch.setattr("gpudl.data.readers._common._memory", lambda: 59)
    assert_refuses(lambda: readers.image_folder(tmp_path), ValueError, "2 images of 6x5 need")
    assert_refuses(lambda: readers.image_folder(tmp_path, 500), ValueError, "2 images of 500x500 need")
