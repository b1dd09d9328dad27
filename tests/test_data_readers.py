"""Readers: every format written by hand and read back, and every way in which a file can be hostile."""

import gzip
import importlib
import io
import zipfile

import numpy as np
import pytest

from gpudl.data import readers
from gpudl.data.readers import DataFormatError
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


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": IMAGES}, "expected arrays x and y"),
        ({"x": IMAGES, "y": LABELS, "x_test": IMAGES}, "expected both x_test and y_test, or neither"),
        ({"x": IMAGES, "y": LABELS[:3]}, "train has 7 images but 3 labels"),
        ({"x": IMAGES.astype(int), "y": LABELS}, "x must be uint8 or floating, got int64"),
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
    assert_refuses(lambda: readers.image_folder(tmp_path), ValueError, "a: no images of this class")


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
    module = importlib.import_module("gpudl.data.readers.image_folder")
    monkeypatch.setattr(module, "_memory", lambda: 59)
    assert_refuses(lambda: readers.image_folder(tmp_path), ValueError, "2 images of 6x5 need")
    assert_refuses(lambda: readers.image_folder(tmp_path, 500), ValueError, "2 images of 500x500 need")


def test_grey_levels_of_16_bits(tmp_path):
    from PIL import Image

    levels = np.arange(0, 1 << 16, 1 << 9, dtype=np.uint16).reshape(16, 8)
    (tmp_path / "a").mkdir()
    Image.fromarray(levels).save(tmp_path / "a" / "1.png")
    read = readers.image_folder(tmp_path)
    assert np.array_equal(read.train.arrays[0][0, 0], levels >> 8)
    Image.fromarray(levels.astype(np.float32)).save(tmp_path / "a" / "2.tiff")
    assert_refuses(
        lambda: readers.image_folder(tmp_path),
        ValueError,
        "2.tiff: expected 8 or 16 bits a channel, got Pillow's mode F",
    )
