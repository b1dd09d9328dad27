"""How tests call the command line, and small data for it."""

import subprocess
import sys
from pathlib import Path

from gpudl.cli import main

QUICK = ["--epochs", "2", "--batch-size", "128"]


MNIST = Path(__file__).parents[1] / "data" / "mnist10k"


def gpudl_command(*arguments):
    return [sys.executable, "-m", "gpudl", *map(str, arguments)]


def run(*arguments):
    return subprocess.run(gpudl_command(*arguments), capture_output=True, text=True)


def refused(capsys, *arguments):
    """What one line a wrong command prints."""
    assert main([*map(str, arguments)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith(f"gpudl {arguments[0]}: ")
    return err


def image_folders(root, *classes):
    from PIL import Image

    for label, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for i in range(10):
            Image.new("L", (8, 8), 200 * label + i).save(root / name / f"{i}.png")
    return root


def capsys_cleared(capsys):
    capsys.readouterr()
    return capsys
