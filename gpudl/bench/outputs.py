"""What a run leaves beside its record: report, page and figures, made from the record alone."""

from __future__ import annotations

from pathlib import Path

from gpudl.bench import page, plots, record, report
from gpudl.train.checkpoint import write_file

REPORT, PAGE = "report.md", "index.html"


def write(folder: Path) -> str | None:
    """Make them anew; returns why there are no figures, where there are none."""
    known = record.read(folder)
    pictures, missing = {}, None
    try:
        pictures = plots.draw(known, folder)
    except ImportError as error:
        missing = f"no figures: {error}"
    write_file(folder / REPORT, report.markdown(known, pictures).encode())
    write_file(folder / PAGE, page.html(known).encode())
    return missing
