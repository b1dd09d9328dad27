"""What came out of each epoch, in memory and in files."""

from __future__ import annotations

import csv
import io
import json
import math
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gpudl.train.callbacks.callback import Callback, Row, require_state
from gpudl.train.checkpoint import write_file

if TYPE_CHECKING:
    from gpudl.train.trainer import Trainer


class History(Callback):
    """Rows of the epochs; a trainer always has one, as `trainer.history`.

    folder : where history.csv and history.json are written anew after every epoch and at the end; None for memory
        only. Where that fails (a full disk) is a warning: the next epoch tries again.
    `history["val_loss"]` is a column, and `in`, iteration and `dict(history)` are of columns; `history.rows` are dicts.
    """

    def __init__(self, folder: str | Path | None = None):
        self.folder = None if folder is None else Path(folder)
        self.rows: list[Row] = []

    def __getitem__(self, column: str) -> list[Any]:
        if column not in self:
            known = ", ".join(self) or "none yet"
            raise KeyError(f"History: no column {column!r}; there are {known}")
        return [row.get(column) for row in self.rows]

    def keys(self) -> list[str]:
        """The columns, in the order in which they came."""
        return list(dict.fromkeys(name for row in self.rows for name in row))

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self.rows)

    def on_fit_begin(self, trainer: Trainer) -> None:
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)

    def on_epoch_end(self, trainer: Trainer, row: Row) -> None:
        self.rows.append({name: _plain(value) for name, value in row.items()})
        self._write()

    def on_fit_end(self, trainer: Trainer) -> None:
        self._write()

    def _write(self) -> None:
        if self.folder is None:
            return
        try:
            write_file(self.folder / "history.csv", self.to_csv().encode())
            write_file(self.folder / "history.json", self.to_json().encode())
        except OSError as error:
            warnings.warn(f"{self.folder}: history not written: {error}", stacklevel=3)

    def to_csv(self) -> str:
        """A header and a line for each epoch; numbers as Python prints them, so that they read back the same."""
        text = io.StringIO()
        writer = csv.DictWriter(text, self.keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        return text.getvalue()

    def to_json(self) -> str:
        """A list of objects; NaN and infinities, which JSON does not have, are null."""
        rows = [{name: _finite(value) for name, value in row.items()} for row in self.rows]
        return json.dumps(rows, indent=1, allow_nan=False) + "\n"

    def state_dict(self) -> dict[str, Any]:
        return {"rows": [dict(row) for row in self.rows]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        require_state(self, state, "rows")
        if not isinstance(state["rows"], list) or not all(isinstance(row, dict) for row in state["rows"]):
            raise TypeError("History: rows must be a list of dicts")
        self.rows = [dict(row) for row in state["rows"]]


def _plain(value: Any) -> Any:
    """NumPy's numbers, which callbacks may add to a row, as Python's."""
    return value.item() if isinstance(value, np.generic) else value


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
