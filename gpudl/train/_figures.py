"""Figures of matplotlib as PNG files, without pyplot: nothing global changes, and no window is needed."""

from __future__ import annotations

import io
import os
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

from gpudl.train.checkpoint import write_file


def require_matplotlib(what: str, extra: str) -> ModuleType:
    """matplotlib with what figures need of it. ImportError names the extra of gpudl that brings it."""
    try:
        import matplotlib.colors
        import matplotlib.figure
        import matplotlib.ticker
    except ImportError as error:
        raise ImportError(f"{what} needs matplotlib: pip install 'gpudl[{extra}]'") from error
    return matplotlib


def save_figure(figure: Any, path: str | os.PathLike[str]) -> None:
    """The same figure gives the same bytes with the same version of matplotlib."""
    # without matplotlib's name and version in the file, so that the bytes are those of the picture
    png = io.BytesIO()
    with warnings.catch_warnings():
        # a name that the font cannot write shows as boxes
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        figure.savefig(png, format="png", dpi=130, bbox_inches="tight", metadata={"Software": None})
    write_file(Path(path), png.getvalue())
