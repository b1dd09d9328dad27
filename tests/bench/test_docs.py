"""docs/bench.md has every field of the record, and its example is a contender."""

import dataclasses
import re
from pathlib import Path

import pytest

from gpudl.bench import operators, report
from gpudl.bench.contender import CONTENDERS
from gpudl.bench.record import SCHEMA, STATUSES, Row
from gpudl.bench.session import load_file

TEXT = (Path(__file__).parents[2] / "docs" / "bench.md").read_text()


def test_every_field_of_a_row_is_in_the_table():
    table = TEXT.split("| field | meaning |")[1].split("\n\n")[0]
    names = [
        name
        for line in table.splitlines()
        for name in re.findall(r"`(\w+)`", line.split("|")[1] if line else "")
    ]
    assert sorted(names) == sorted(field.name for field in dataclasses.fields(Row))
    assert all(f"`{status}`" in table for status in STATUSES)
    assert f"schema {SCHEMA} has" in TEXT
    assert f"above {report.SLOW:g} times" in TEXT


def test_the_example_registers_a_contender(tmp_path):
    pytest.importorskip("torch")
    operators.load()
    first = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)[0]
    (tmp_path / "mine.py").write_text(first)
    load_file(tmp_path / "mine.py")
    assert CONTENDERS["conv2d_forward"].pop("torch, NCHW").difference == "layout NCHW"
