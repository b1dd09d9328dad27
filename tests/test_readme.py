"""The README's code runs, and its two commands are those of the contribution guide and the CI script."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_twenty_lines_run(capsys):
    text = (ROOT / "README.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    exec(compile(code, "README.md", "exec"), {})
    *summary, last = capsys.readouterr().out.splitlines()
    assert summary[0].startswith("layer")
    assert json.loads(last)[-1] > 0.9  # the validation accuracy of the third epoch; guessing gives 0.1
    assert len(text.splitlines()) < 150


def test_the_test_command_is_the_same_everywhere():
    command = "python3 -m venv .venv && .venv/bin/pip install -e '.[test]' && .venv/bin/pytest -n 2"
    for name in ("README.md", "CONTRIBUTING.md"):
        assert command in (ROOT / name).read_text(), name
