"""What is written is read again; what is cut off ends at the last whole problem; what is no record is refused."""

import dataclasses
import json

import pytest

from gpudl.bench import record
from gpudl.bench.record import NAME, Ceiling, RecordError, Writer, read
from tests.bench.records import HEAD, record_of, timed, untimed, write_run
from tests.support.arrays import assert_refuses

ROWS = [
    timed("gpudl", [1e-3, 2e-3], group="dense"),
    timed("PyTorch", [3e-3, 4e-3], host_seconds=1e-5, clock_mhz=1500.0, throttled="power", difference="TF32"),
    untimed("mine", "wrong", error=0.3),
    untimed("other", "unsupported", detail='no \u00e9 \U0001f600 <b> \\ " \n line'),
    timed("gpudl", [5e-3], workload="another"),
]


def test_round_trip(tmp_path):
    known = record_of(tmp_path, ROWS)
    assert known.rows == ROWS
    assert known.run == HEAD
    assert known.ceilings == [Ceiling("copy", 2e10, "B/s"), Ceiling("matmul float32", 1e11, "FLOP/s")]
    assert known.done == {ROWS[0].problem, ROWS[-1].problem}
    assert known.whole_bytes == (tmp_path / "run" / NAME).stat().st_size
    assert read(tmp_path / "run" / NAME).rows == ROWS


def test_a_file_cut_off_anywhere_ends_at_a_whole_problem(tmp_path):
    data = (write_run(tmp_path / "run", ROWS) / NAME).read_bytes()
    ends = [end for end in range(len(data) + 1) if data[:end].endswith(b"\n")]
    done = [
        end for end in ends if json.loads(data[:end].splitlines()[-1])["kind"] in ("run", "ceiling", "done")
    ]
    path = tmp_path / "cut.jsonl"
    # every byte of the last two lines, a row and its end, and those around the ends of the lines before
    around = [end + i for end in ends[2:-2] for i in (-1, 0, 1)]
    for end in [*around, *range(ends[-3], len(data))]:
        path.write_bytes(data[:end])
        known = read(path)
        assert known.whole_bytes == max(whole for whole in done if whole <= end)
        assert known.rows == ROWS[: 4 if end >= done[3] else 0]
    for end in range(0, ends[0], 7):
        path.write_bytes(data[:end])
        assert_refuses(
            lambda: read(path), RecordError, "not the record of a benchmark run: it has no whole line"
        )


def test_a_writer_goes_on_after_what_is_whole(tmp_path):
    path = write_run(tmp_path / "run", ROWS) / NAME
    data = path.read_bytes()
    path.write_bytes(data[:-20])
    writer = Writer(path, resume=True)
    assert writer.known.rows == ROWS[:4]
    writer.write_row(ROWS[4])
    writer.write_done(ROWS[4].problem)
    writer.close()
    assert path.read_bytes() == data


def test_text_that_utf_8_cannot_write_spoils_no_record(tmp_path):
    """Names of files and messages of errors may hold bytes that are no text."""
    row = untimed("mine", "failed", detail="OSError: \udcff.dat, \ud83d")
    known = record_of(tmp_path, [row], head=HEAD | {"command": "gpudl bench --output \udce9"})
    assert known.rows[0].detail == "OSError: ?.dat, ?"
    assert known.run["command"] == "gpudl bench --output ?"


def test_one_process_writes(tmp_path):
    path = write_run(tmp_path / "run", ROWS) / NAME
    data = path.read_bytes()
    writer = Writer(path, resume=True)
    assert_refuses(
        lambda: Writer(path, resume=True), RecordError, "another gpudl bench is at work on this run"
    )
    writer.close()
    Writer(path, resume=True).close()
    assert path.read_bytes() == data


def test_a_new_run_overwrites_none(tmp_path):
    path = write_run(tmp_path / "run", ROWS) / NAME
    data = path.read_bytes()
    with pytest.raises(FileExistsError):
        Writer(path)
    assert path.read_bytes() == data
    with pytest.raises(FileNotFoundError):
        Writer(tmp_path / "none.jsonl", resume=True)
    assert not (tmp_path / "none.jsonl").exists()


def test_a_row_of_rubbish_is_not_written(tmp_path):
    writer = Writer(tmp_path / NAME)
    with pytest.raises(ValueError, match="JSON"):
        writer.write_row(timed("gpudl", [float("nan")]))
    writer.close()
    assert (tmp_path / NAME).read_bytes() == b""


def line(kind, **fields):
    return json.dumps({"kind": kind, **fields}).encode()


def row_line(**changes):
    fields = dataclasses.asdict(ROWS[0]) | changes
    return line("row", **{name: value for name, value in fields.items() if value is not ...})


def head_line(**changes):
    return line("run", **{name: value for name, value in (HEAD | changes).items() if value is not ...})


FIRST = [
    ("text", b"hello", "line 1: not JSON"),
    ("list", b"[]", 'line 1: expected an object with "kind"'),
    ("kind", b'{"kind": 3}', 'line 1: expected an object with "kind"'),
    ("row first", row_line(), "expected the head of a run of schema 1, got kind 'row', schema None"),
    ("other schema", head_line(schema=2), "expected the head of a run of schema 1, got kind 'run', schema 2"),
    ("schema of another type", head_line(schema=True), "expected the head of a run of schema 1, got kind 'run', schema True"),
    ("not UTF-8", b'{"kind": "\xff"}', "line 1: not JSON"),
    ("UTF-16", '{"kind": "run"}'.encode("utf-16"), "line 1: not JSON"),
    ("long", b" " * (record.LONGEST_LINE + 1), "a line of more than 1048576 bytes"),
    ("deep", b"[" * 100_000, "line 1: not JSON"),
    ("nested", head_line(selection={"a": [[[[[[[[[1]]]]]]]]]}), "nested more than 8 deep"),
    ("no command", head_line(command=...), "command must be text"),
    ("selection", head_line(selection=[]), "selection must be an object"),
    ("seconds", head_line(seconds="1"), "seconds must be a number"),
    ("files", head_line(files=["a.py"]), "files must be objects with path and sha256"),
    ("no files", head_line(files=None), "files must be a list"),
    ("started", head_line(started=3), "started must be text"),
    ("machine", head_line(machine={"packages": []}), "machine must be an object with packages"),
    ("device", head_line(device={"cpu": "x"}), "device must be an object with a name"),
]  # fmt: skip
LATER = [
    ("kind", line("cell"), "line 2: unknown kind 'cell'"),
    ("second head", head_line(), "unknown kind 'run'"),
    ("NaN", row_line(seconds=float("nan")), "not JSON: NaN is no number of JSON"),
    ("Infinity", row_line(error=float("inf")), "not JSON: Infinity is no number of JSON"),
    ("-Infinity", row_line(error=-float("inf")), "not JSON: -Infinity is no number of JSON"),
    ("large", row_line(error=...)[:-1] + b', "error": 1e999}', "error must be a number of 0 or more, or null, got inf"),
    ("huge", row_line(error=10**400), "error must be a number of 0 or more, or null, got 1000"),
    ("more digits than Python reads", b'{"kind": "row", "error": ' + b"9" * 5000 + b"}", "line 2: not JSON"),
    ("half a character", row_line(detail="\ud83d"), "line 2: not JSON"),
    ("unknown field", row_line(speed=1), "a row unknown speed"),
    ("missing field", row_line(turns=...), "a row without turns"),
    ("number as text", row_line(contender=3), "contender must be text, got 3"),
    ("null as text", row_line(detail=None), "detail must be text, got None"),
    ("text as number", row_line(seconds="1"), "seconds must be a number of 0 or more, or null, got '1'"),
    ("bool as number", row_line(error=True), "error must be a number of 0 or more, or null, got True"),
    ("negative", row_line(low=-1e-3), "low must be a number of 0 or more, or null, got -0.001"),
    ("null as number", row_line(flops=None), "flops must be a number of 0 or more, got None"),
    ("calls", row_line(calls=1.5), "calls must be a whole number from 0 to 2^63 - 1, got 1.5"),
    ("huge calls", row_line(calls=10**400), "calls must be a whole number from 0 to 2^63 - 1, got 1000"),
    ("turns", row_line(turns=5), "turns must be a list of seconds, got 5"),
    ("a turn of nothing", row_line(turns=[0]), "turns must be a list of seconds, got [0]"),
    ("a short turn", row_line(turns=[1e-300]), "turns must be a list of seconds"),
    ("long", row_line(seconds=1e200), "seconds must be 0, or from 1e-15 to 1e30, got 1e+200"),
    ("status", row_line(status="fine"), "status must be one of ok, wrong, failed, unsupported, got 'fine'"),
    ("cache", row_line(cache="hot"), "cache must be one of warm, cold, got 'hot'"),
    ("ok without time", row_line(seconds=None), "a row that is ok has seconds, low, high, turns"),
    ("ok without turns", row_line(turns=[]), "a row that is ok has seconds, low, high, turns"),
    ("ok without floor", row_line(floor=None), "a row that is ok has seconds, low, high, turns"),
    ("wrong without error", row_line(status="wrong", error=None), "a row that is wrong has error and tolerance"),
    ("long text", row_line(status="x" * 100_000), "status must be one of ok, wrong, failed, unsupported, got 'xxx"),
    ("ceiling", line("ceiling", name="copy", value=0, unit="B/s"), "value must be from 1e-15 to 1e30"),
    ("ceiling without unit", line("ceiling", name="copy", value=1), "a ceiling has a name, a value and a unit"),
    ("resumed", line("resumed", started="now"), "machine must be an object with packages"),
    ("done", line("done", operator="a", workload=3, dtype="b"), "done needs operator, workload and dtype"),
    (
        "done twice", b"\n".join([line("done", operator="a", workload="b", dtype="c")] * 2),
        "line 3: that problem is done already",
    ),
    (
        "a row twice", b"\n".join([row_line(), row_line(), line("done", **dict(zip(("operator", "workload", "dtype"), ROWS[0].problem, strict=True)))]),
        "line 4: a contender has two of the rows before it",
    ),
    (
        "rows of another", b"\n".join([row_line(), line("done", operator="a", workload="b", dtype="c")]),
        "line 3: the rows before it are of another problem",
    ),
    (
        "rows of none", b"\n".join([row_line(), line("ceiling", name="copy", value=1, unit="B/s")]),
        "line 3: the rows before it are of no problem that is done",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("data", "words"), [case[1:] for case in FIRST], ids=[case[0] for case in FIRST])
def test_what_is_no_head_of_a_record(tmp_path, data, words):
    (tmp_path / NAME).write_bytes(data + b"\n")
    assert_refuses(lambda: read(tmp_path), RecordError, words)


@pytest.mark.parametrize(("data", "words"), [case[1:] for case in LATER], ids=[case[0] for case in LATER])
def test_what_is_no_line_of_a_record(tmp_path, data, words):
    (tmp_path / NAME).write_bytes(head_line() + b"\n" + data + b"\n")
    assert_refuses(lambda: read(tmp_path), RecordError, words)
    with pytest.raises(RecordError) as caught:
        read(tmp_path)
    assert len(str(caught.value)) < 400 + len(str(tmp_path))


def test_a_file_that_cannot_be_gone_on_with_is_left_alone(tmp_path):
    path = tmp_path / NAME
    path.write_bytes(head_line() + b"\nrubbish\n" + row_line())
    data = path.read_bytes()
    with pytest.raises(RecordError):
        Writer(path, resume=True)
    assert path.read_bytes() == data
