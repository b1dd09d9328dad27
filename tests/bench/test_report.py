"""What the report, the figures and the words of progress say of synthetic rows."""

import builtins
import io
import re
import struct
from dataclasses import replace

import pytest

from gpudl.bench import outputs, page, plots, progress, report, summary, text
from gpudl.bench.problem import Problem, Work
from gpudl.bench.record import Ceiling, read
from gpudl.train._figures import require_matplotlib
from tests.bench.records import HEAD, record_of, timed, untimed, write_run
from tests.support.arrays import assert_refuses

NASTY = "</script><script>alert(1)</script> | `x` *b* [a](b) ![i](http://i) \x1b[31m\n_u_ & a_b \u202e $x$"
ROWS = [
    timed("gpudl", [2e-3, 2e-3, 6e-3], group="dense convolutions"),
    timed("PyTorch", [1e-3, 4e-3, 3e-3], group="dense convolutions", difference="TF32"),
    untimed("mine", "wrong", error=0.25),
    timed("gpudl", [9e-3] * 3, workload="ResNet-50 conv2_1b, N 256", throttled="power", clock_mhz=1500.0, power_w=300.0),
    timed("PyTorch", [2e-3] * 3, workload="ResNet-50 conv2_1b, N 256", clock_mhz=1700.0, power_w=310.0),
    timed("gpudl", [5e-6], operator="relu_forward", family="activations", workload="(8, 3)", flops=0, floor=0.0, share=0.0),
    untimed("cuDNN", "unsupported", operator="relu_forward", family="activations", workload="(8, 3)", detail="no plan"),
    timed(NASTY, [1e-3], operator="relu_forward", family="activations", workload="(8, 3)", detail=NASTY),
]  # fmt: skip


@pytest.fixture
def record(tmp_path):
    return record_of(tmp_path, ROWS)


def test_ratios_are_medians_of_paired_turns(record):
    entry = summary.entries(record.rows)[1]
    # 2 / 1, 2 / 4 and 6 / 3; the ratio of the medians would be 2 / 3
    assert (entry.ratio.low, entry.ratio.median, entry.ratio.high) == (1.25, 2, 2)
    assert [each.ratio is None for each in summary.entries(record.rows)] == [
        True, False, True, True, False, True, True, False,
    ]  # fmt: skip


def test_turns_that_are_not_paired_give_no_ratio():
    entries = summary.entries(
        [timed("gpudl", [1.0, 2.0]), timed("a", [1.0]), timed("b", [1.0, 1.0], cache="cold")]
    )
    assert [entry.ratio for entry in entries] == [None, None, None]


def test_means_of_families_groups_and_all(record):
    means = {(mean.over, mean.contender): mean for mean in summary.means(summary.entries(record.rows))}
    assert means["conv2d", "PyTorch"].value == pytest.approx(3)  # of 2 and 4.5
    assert means["conv2d", "PyTorch"].count == 2
    assert means["dense convolutions", "PyTorch"].value == pytest.approx(2)
    assert means["activations", NASTY].value == pytest.approx(5e-3)
    assert (means["activations", NASTY].faster, means["all", "PyTorch"].faster) == (1, 0)
    assert [mean.over for mean in means.values()] == [
        "activations",
        "conv2d",
        "dense convolutions",
        "all",
        "all",
    ]


def test_the_report_says_how_it_was_measured(record):
    told = report.markdown(record)
    assert told.startswith("# gpudl beside others on A processor\n")
    for words in (
        "`gpudl bench conv2d`",
        "begun 2026-01-02T03:04:05+00:00: name cpu, cpu A processor, cores 2; python 3.11, numpy 2.4, commit abc123",
        "results of 7 rows were compared with float64 before any time was taken; the largest error of those timed is "
        "1% of what was allowed; 1 rows are wrong and were not timed",
        "take turns of a few calls, going round who begins: 1 to 3 turns, 3 to 9 calls of each",
        "ceilings measured in the same run: copy 20.00 GB/s; matmul float32 100.0 GFLOP/s",
        "warm: a call finds",
        "after the last turn: 1500 to 1700 MHz, 300 to 310 W; 1 rows were taken while throttled",
    ):
        assert words in told
    assert "cold" not in told


def table(told, family):
    """The rows of a family as mappings from the columns' heads."""
    lines = told.split(f"\n## {family}\n\n")[1].split("\n\n")[0].splitlines()
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    assert {len(row) for row in cells} == {len(cells[0])}
    return [dict(zip(cells[0], row, strict=True)) for row in cells[2:]]


def test_the_report_has_every_row_worst_first(record):
    rows = table(report.markdown(record), "conv2d")
    assert [(row["workload"], row["contender"]) for row in rows] == [
        ("ResNet-50 conv2_1b, N 256", "gpudl"), ("ResNet-50 conv2_1b, N 256", "PyTorch"),
        ("ResNet-50 conv2_1b, N 32", "gpudl"), ("ResNet-50 conv2_1b, N 32", "PyTorch"), ("ResNet-50 conv2_1b, N 32", "mine"),
    ]  # fmt: skip
    assert rows[0]["remarks"] == "throttled: power"
    assert rows[3] == {
        "operator": "conv2d_forward", "workload": "ResNet-50 conv2_1b, N 32", "dtype": "float32", "cache": "warm",
        "contender": "PyTorch", "time": "3.000 ms", "its quartiles": "2.700 ms to 3.300 ms", "gpudl / it": "2.00",
        "quartiles": "1.25 to 2.00", "floor": "1.500 ms", "share": "50%", "bound": "math", "error": "1.0e-06",
        "remarks": "TF32",
    }  # fmt: skip
    assert (rows[4]["time"], rows[4]["error"], rows[4]["floor"]) == ("wrong", "2.5e-01", "")


def test_rows_without_a_floor_have_no_share(record):
    ours = table(report.markdown(record), "activations")[0]
    assert ours["time"] == "5.000 us"
    assert "floor" not in ours or ours["floor"] == ""
    assert ours["share"] == ours["bound"] == ""


def test_the_report_names_what_is_slow_and_what_was_not_timed(record):
    told = report.markdown(record)
    slow = told.split("## Slower than 4 times another\n\n")[1].split("\n\n")[0]
    assert slow == "- 4.50 x PyTorch: conv2d_forward, ResNet-50 conv2_1b, N 256, float32, warm"
    rest = told.split("## Not timed: wrong, failed or unsupported\n\n")[1].split("\n\n")[0]
    assert rest.splitlines() == [
        "- wrong: mine on conv2d_forward, ResNet-50 conv2_1b, N 32, float32, warm: error 0.25, allowed 0.0001",
        "- unsupported: cuDNN on relu_forward, (8, 3), float32, warm: no plan",
    ]


def test_text_of_others_is_no_markup_in_the_report(record):
    told = report.markdown(record)
    assert "<script" not in told
    assert "\x1b" not in told
    assert "\u202e" not in told
    row = table(told, "activations")[2]
    assert row["remarks"] == (
        r"&lt;/script>&lt;script>alert(1)&lt;/script> \| \`x\` \*b\* \[a\](b) !\[i\](http://i) \[31m \_u\_ &amp; a_b $x$"
    )


def test_a_report_of_nothing_done(tmp_path):
    told = report.markdown(record_of(tmp_path, []))
    assert "0 problems, 0 rows" in told
    assert "Geometric means" not in told


def test_a_run_that_went_on_says_so(tmp_path):
    record = record_of(tmp_path, ROWS[:2])
    record.resumed.append({**HEAD, "started": "later", "machine": {"packages": {}, "commit": "def"}})
    told = report.markdown(record)
    assert "- gone on with later: name cpu, cpu A processor, cores 2; commit def\n" in told


def picture(path):
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", data[16:24])


def test_outputs_are_written_from_the_record_alone(tmp_path):
    pytest.importorskip("matplotlib")
    folder = write_run(tmp_path / "run", ROWS)
    assert outputs.write(folder) is None
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["batch.png", "index.html", "ratios.png", "report.md", "roofline.png", "rows.jsonl"]
    for name in ("batch.png", "ratios.png", "roofline.png"):
        width, height = picture(folder / name)
        assert 300 < width < 4000
        assert 200 < height < 4000
        assert f"({name})" in (folder / "report.md").read_text()
    before = {name: (folder / name).read_bytes() for name in names}
    outputs.write(folder)
    assert before == {name: (folder / name).read_bytes() for name in names}


def test_figures_of_what_there_is(tmp_path):
    pytest.importorskip("matplotlib")
    assert plots.draw(record_of(tmp_path / "a", []), tmp_path) == {}
    assert plots.draw(record_of(tmp_path / "b", ROWS[5:6]), tmp_path) == {}
    assert plots.draw(record_of(tmp_path / "c", ROWS[:1]), tmp_path) == {"Roofline": "roofline.png"}


def test_without_matplotlib_the_rest_is_written(tmp_path, monkeypatch):
    real = builtins.__import__

    def refusing(name, *arguments, **options):
        if name.startswith("matplotlib"):
            raise ModuleNotFoundError("No module named 'matplotlib'")
        return real(name, *arguments, **options)

    folder = write_run(tmp_path / "run", ROWS)
    monkeypatch.setattr(builtins, "__import__", refusing)
    missing = "a figure of a benchmark needs matplotlib: pip install 'gpudl[bench]'"
    assert outputs.write(folder) == f"no figures: {missing}"
    assert sorted(path.name for path in folder.iterdir()) == ["index.html", "report.md", "rows.jsonl"]
    assert "png" not in (folder / "report.md").read_text()
    assert_refuses(lambda: plots.draw(read(folder), folder), ImportError, missing)


def test_what_figures_show(record):
    pytest.importorskip("matplotlib")
    matplotlib = require_matplotlib("a test", "bench")
    ratios = plots._ratios(summary.entries(record.rows), matplotlib)
    torch = ratios.axes[0]
    assert [label.get_text() for label in torch.get_yticklabels()] == ["conv2d"]
    points, mean, _ = torch.get_lines()
    assert sorted(points.get_xdata()) == pytest.approx([2, 4.5])
    assert mean.get_xdata() == pytest.approx([3, 3])
    assert torch.get_xlim() == ratios.axes[1].get_xlim()
    # a panel has the families that its contender has rows of, and is as high as they need
    assert [label.get_text() for label in ratios.axes[1].get_yticklabels()] == ["activations"]
    more = [
        *record.rows,
        *(replace(row, contender="PyTorch") for row in record.rows if row.contender == NASTY),
    ]
    ratios = plots._ratios(summary.entries(more), matplotlib)
    ratios.draw_without_rendering()
    both, one = ratios.axes
    assert [label.get_text() for label in both.get_yticklabels()] == ["conv2d", "activations"]
    assert both.get_position().height > 1.2 * one.get_position().height
    ceilings = [
        Ceiling("copy", 1.0, "B/s"),
        Ceiling("copy", 5e9, "B/s"),
        Ceiling("matmul float32", 1e11, "FLOP/s"),
    ]
    figure = plots._roofline(record.rows, ceilings, matplotlib)
    roofline = {line.get_label(): line for line in figure.axes[0].get_lines()}
    assert roofline["PyTorch"].get_xdata() == pytest.approx([20, 20])
    assert sorted(roofline["PyTorch"].get_ydata()) == pytest.approx([4e6 / 3e-3, 4e6 / 2e-3])
    roof = roofline["ceiling, float32"].get_ydata()
    assert roof.max() == pytest.approx(1e11)
    assert roof[0] == pytest.approx(5e9 * roofline["ceiling, float32"].get_xdata()[0])
    assert "ceiling, tf32" not in roofline
    tf32 = [*ceilings, Ceiling("matmul tf32", 8e11, "FLOP/s")]
    (line,) = (
        line
        for line in plots._roofline(record.rows, tf32, matplotlib).axes[0].get_lines()
        if line.get_label() == "ceiling, tf32"
    )
    assert line.get_ydata().max() == pytest.approx(min(8e11, 5e9 * line.get_xdata().max()))
    half = [timed("gpudl", [1e-3], dtype="float16")]
    told = plots._roofline(half, [*tf32, Ceiling("matmul float16", 9e11, "FLOP/s")], matplotlib).axes[0]
    assert [line.get_label() for line in told.get_lines()] == ["gpudl", "ceiling, float16"]
    batches = plots._batches(record.rows, matplotlib).axes
    assert len(batches) == 1
    lines = {line.get_label(): line for line in batches[0].get_lines()}
    assert list(lines["PyTorch"].get_xdata()) == [32, 256]
    assert list(lines["PyTorch"].get_ydata()) == pytest.approx([3, 2])
    assert list(lines) == ["gpudl", "PyTorch", "floor"]


def test_more_workloads_than_panels_are_said(record):
    pytest.importorskip("matplotlib")
    matplotlib = require_matplotlib("a test", "bench")
    rows = [timed("gpudl", [1e-3], workload=f"layer {i}, N {n}") for i in range(30) for n in (1, 32)]
    rows += [timed("gpudl", [1e-3], workload=f"most, N {n}, {'of a long name ' * 5}") for n in (1, 2, 3)]
    figure = plots._batches(rows, matplotlib)
    assert len(figure.axes) == 24
    assert figure.axes[0].get_title().startswith("conv2d_forward, most, N,")
    titles = [axes.get_title() for axes in figure.axes]
    assert max(len(line) for title in titles for line in title.splitlines()) <= 48
    assert figure._suptitle.get_text() == "and 7 workloads more, which are in the table"


@pytest.mark.parametrize(
    ("workload", "series", "batch"),
    [
        ("ResNet-50 conv3_1b, N 32", "ResNet-50 conv3_1b, N", 32),
        ("LeNet conv1: (256, 1, 28, 28) -> 6, 5x5", "LeNet conv1: (N, 1, 28, 28) -> 6, 5x5", 256),
        ("(128, 10)", "(N, 10)", 128),
        ("(1024,)", "(N,)", 1024),
        ("100 M parameters", "100 M parameters", None),
        ("LeNet (small)", "LeNet (small)", None),
    ],
    ids=["named", "shape", "two", "one", "none", "words"],
)
def test_batch_sizes_in_words(workload, series, batch):
    assert plots.split_batch(workload) == (series, batch)


@pytest.mark.parametrize(
    ("value", "words"),
    [(12.345, "12.35 s"), (1.0, "1.000 s"), (0.0123456, "12.35 ms"), (1e-3, "1.000 ms"), (4.56e-5, "45.60 us"), (1.5e-7, "150.0 ns"),
     (1234.5, "1234 s"), (2e-10, "0.2 ns"), (None, "")],
)  # fmt: skip
def test_seconds_in_words(value, words):
    assert text.seconds(value) == words


def test_other_figures_in_words():
    assert text.rate(2.5e12, "B/s") == "2.500 TB/s"
    assert text.rate(12, "FLOP/s") == "12.00 FLOP/s"
    assert text.rate(2e-6, "s") == "2.000 us"
    assert [text.span(value) for value in (0.2, 89, 100, 3599, 4000)] == [
        "0 s",
        "89 s",
        "2 min",
        "1 h 0 min",
        "1 h 7 min",
    ]
    assert text.plain("a\x1b[0m\r\n\u202e b\ud800") == "a [0m b"


def some_problem(workload):
    return Problem("conv2d_forward", workload, lambda rng: {}, Work())


def test_progress_says_rows_and_time_left():
    file, now = io.StringIO(), [0.0]
    with progress.Progress(file, 5, 2, lambda: now[0]) as shown:
        shown.start(some_problem("a"))
        now[0] = 60.0
        shown.finish(ROWS[:3])
        now[0] = 80.0
        shown.finish(ROWS[3:5])
        shown.finish(ROWS[5:])
    first, second, third = file.getvalue().splitlines()
    assert first == (
        "[3/5, 2 min left] conv2d_forward ResNet-50 conv2_1b, N 32, float32, warm: gpudl 2.000 ms (50% of math) | "
        "PyTorch 3.000 ms (50% of math) ratio 2.00 | mine wrong: error 0.25"
    )
    assert second.startswith("[4/5, 40 s left] ")
    assert third.startswith(
        "[5/5] relu_forward (8, 3), float32, warm: gpudl 5.000 us | cuDNN unsupported: no plan | </script>"
    )
    assert "\x1b" not in third


def test_an_error_that_is_no_number_is_said_in_a_word(tmp_path):
    rows = [ROWS[0], untimed("mine", "wrong", error=text.LARGEST_ERROR)]
    assert "mine wrong: error infinite" in progress.lines(rows)[0]
    told = report.markdown(record_of(tmp_path, rows))
    assert "warm: error infinite, allowed 0.0001" in told
    assert "| infinite |" in told


def test_progress_on_a_terminal_is_a_live_bar():
    pytest.importorskip("rich")

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    file = Terminal()
    with progress.Progress(file, 2, 0) as shown:
        shown.start(some_problem("[red]a"))
        shown.finish(ROWS[:3])
        shown.finish(ROWS[5:])
    told = file.getvalue()
    assert "PyTorch 3.000 ms (50% of math) ratio 2.00 | mine wrong: error 0.25" in told
    assert "2/2" in told
    assert "[a](b)" in told  # text, no markup of rich's


def test_the_page_holds_the_rows_as_inert_data(record):
    told = page.html(record)
    assert told.count("<script") == told.count("</script>") == 2
    assert "alert(1)\\u003c/script\\u003e" in told
    assert "http:" not in told.replace("(http://i)", "")
    assert "https:" not in told
    assert "{{" not in told
