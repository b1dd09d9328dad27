"""A finished run and data of every kind, made once."""

import numpy as np
import pytest

from tests.cli.commands import QUICK, run


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A finished run on the digits, and what it printed."""
    folder = tmp_path_factory.mktemp("runs") / "digits"
    done = run("train", "--output", folder, *QUICK)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


@pytest.fixture(scope="session")
def sources(tmp_path_factory):
    """Small data of every kind: path, and how many training images."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    grey = (rng.integers(0, 60, (60, 12, 12)) + labels[:, None, None] * 60).astype(np.uint8)
    np.savez(folder / "grey.npz", x=grey, y=labels)
    np.savez(folder / "float.npz", x=grey[:, None].astype(np.float64) / 255, y=labels)
    mnist = folder / "mnist"
    mnist.mkdir()
    for part, count in (("train", 60), ("t10k", 30)):
        head = bytes([0, 0, 8])
        sizes = b"".join(n.to_bytes(4, "big") for n in (count, 12, 12))
        (mnist / f"{part}-images-idx3-ubyte").write_bytes(head + b"\3" + sizes + grey[:count].tobytes())
        (mnist / f"{part}-labels-idx1-ubyte").write_bytes(
            head + b"\1" + count.to_bytes(4, "big") + labels[:count].astype(np.uint8).tobytes()
        )
    cifar = folder / "cifar"
    cifar.mkdir()
    tens = (np.arange(60) % 10).astype(np.uint8)
    records = np.concatenate([tens[:, None], rng.integers(0, 256, (60, 3072)).astype(np.uint8)], axis=1)
    (cifar / "data_batch_1.bin").write_bytes(records.tobytes())
    for label, name in enumerate(("cat", "dog", "eel")):
        (folder / "images" / name).mkdir(parents=True)
        for i in range(20):
            Image.fromarray(np.stack([grey[3 * i + label]] * 3, -1)).save(
                folder / "images" / name / f"{i}.png"
            )
    return folder
