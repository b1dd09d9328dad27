"""Counting what kernels cost: exact figures of two kernels worked out by hand, the choice of problems, the report."""

import contextlib
import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from gpudl import ops
from gpudl.bench import cost, cost_problems, cost_report
from gpudl.bench.contender import CONTENDERS, Contender
from gpudl.bench.cost import Cost, CostError, Kernel, Residency
from gpudl.bench.occupancy import Compiled, Occupancy, occupancy, read_report
from gpudl.bench.problem import OPERATORS, Operator, Problem, Work
from tests.cli.commands import refused
from tests.support.arrays import assert_refuses
from tests.support.kernels import require_simt

CSRC = Path(__file__).parents[2] / "csrc"

# As csrc/compile_report.py prints it; two kernels with more registers and spills than they have.
REPORT = """\
nvcc release 13.0, V13.0.88
58 files compiled in 431 s
dropout_kernel<float>  |  sm_80: 20 registers, 0 B shared; sm_90a: 22 registers, 0 B shared
elementwise_kernel<__half, ReluForward, __half>  |  sm_80: 21 registers, 0 B shared; sm_90a: 21 registers, 0 B shared
elementwise_kernel<float, ReluForward, float>  |  sm_80: 40 registers, 128 B shared, 8 B stack, 16 B spilled; sm_120: 9 registers, 0 B shared
601 kernels, 0 with spills or a stack frame
"""
# As ptxas -v prints it.
PTXAS = """\
ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function '_Z18elementwise_kernelIfN39_GLOBAL__N__a37b6b9f_7_relu_cu_267e32df11ReluForwardEJfEEvPT_lbT0_DpPKT1_' for 'sm_80'
ptxas info    : Function properties for _Z18elementwise_kernelIfN39_GLOBAL__N__a37b6b9f_7_relu_cu_267e32df11ReluForwardEJfEEvPT_lbT0_DpPKT1_
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 16 registers, used 0 barriers, 384 bytes cmem[0]
ptxas info    : Compile time = 11.344 ms
"""


# ---- occupancy


@pytest.mark.parametrize(
    ("architecture", "threads", "registers", "static", "dynamic", "expected"),
    [
        # 32 x 32 registers a warp: 16384 / 1024 warps in each of 4 parts, 64; and 64 warps are 8 blocks of 8.
        ("sm_80", 256, 32, 0, 0, Occupancy(8, 64, 1.0, "warps")),
        # 105 x 32 = 3360, rounded to 3584: 4 warps in each part, 16, which are 2 blocks of 8.
        ("sm_80", 256, 105, 0, 0, Occupancy(2, 16, 0.25, "registers")),
        # 48 KiB and the KiB of the system: 3 times in 164 KiB, 4 times in 228 KiB.
        ("sm_80", 128, 32, 49152, 0, Occupancy(3, 12, 12 / 64, "shared memory")),
        ("sm_90", 128, 32, 0, 49152, Occupancy(4, 16, 0.25, "shared memory")),
        # One byte more than 7 x 128 with the KiB: 15 blocks of 1024 + 1024 take 30 of 228 KiB; 32 blocks is the limit.
        ("sm_90", 32, 16, 897, 0, Occupancy(32, 32, 0.5, "blocks")),
        ("sm_80", 64, 255, 0, 0, Occupancy(4, 8, 0.125, "registers")),
        # A block of 32 warps with 64 registers each takes all of them; with 65 it does not fit.
        ("sm_80", 1024, 64, 0, 0, Occupancy(1, 32, 0.5, "registers")),
        ("sm_80", 1024, 65, 0, 0, Occupancy(0, 0, 0.0, "a block does not fit")),
        ("sm_80", 32, 16, 0, 163 * 1024, Occupancy(1, 1, 1 / 64, "shared memory")),
        ("sm_80", 32, 16, 1, 163 * 1024, Occupancy(0, 0, 0.0, "a block does not fit")),
        ("sm_75", 32, 16, 0, 0, None),
    ],
)
def test_occupancy(architecture, threads, registers, static, dynamic, expected):
    compiled = Compiled("kernel", architecture, registers, static)
    assert occupancy(compiled, threads, dynamic) == expected


def test_read_report():
    assert list(read_report(REPORT)) == [
        Compiled("dropout_kernel<float>", "sm_80", 20, 0),
        Compiled("dropout_kernel<float>", "sm_90", 22, 0),
        Compiled("elementwise_kernel<__half, ReluForward, __half>", "sm_80", 21, 0),
        Compiled("elementwise_kernel<__half, ReluForward, __half>", "sm_90", 21, 0),
        Compiled("elementwise_kernel<float, ReluForward, float>", "sm_80", 40, 128, 8, 16),
        Compiled("elementwise_kernel<float, ReluForward, float>", "sm_120", 9, 0),
    ]


def test_the_compile_report_names_kernels_as_the_executor_does(monkeypatch):
    monkeypatch.syspath_prepend(str(CSRC))
    import compile_report

    (kernel,) = compile_report.kernels_of(PTXAS)
    assert (kernel.architecture, kernel.registers, kernel.spilled) == ("sm_80", 16, 0)
    assert compile_report.readable([kernel.name]) == ["elementwise_kernel<float, ReluForward, float>"]


def test_where_registers_come_from(tmp_path, monkeypatch):
    file = tmp_path / "report.txt"
    file.write_text(REPORT)
    source, compiled = cost.compile_report(file)
    assert (source, len(compiled)) == ("nvcc release 13.0, V13.0.88", 6)
    file.write_text("something else\n")
    assert_refuses(lambda: cost.compile_report(file), ValueError, "is not what csrc/compile_report.py prints")
    monkeypatch.setenv("GPUDL_CUDA", "off")
    assert cost.compile_report(None) == ("none: it was switched off by GPUDL_CUDA", [])


def test_a_compile_report_that_fails(monkeypatch):
    failed = SimpleNamespace(stdout="", stderr="CompileError: nvcc fatal\n")
    monkeypatch.setattr(cost.subprocess, "run", lambda *arguments, **options: failed)
    assert_refuses(lambda: cost.compile_report(None), CostError, "nvcc fatal")


# ---- counting


def problem(operator, n, **options):
    def inputs(rng):
        return {"x": rng.random(n, np.float32)}

    return Problem(operator, f"({n},)", inputs, Work(values=2 * n), **options)


@pytest.fixture
def register(monkeypatch):
    def register(name, function, *problems, family="test"):
        monkeypatch.setitem(OPERATORS, name, Operator(name, family, lambda: iter(problems)))
        ours = Contender(name, "gpudl", function, "array", False, ("cpu",), "")
        monkeypatch.setitem(CONTENDERS, name, {"gpudl": ours})

    return register


def counted(operator, n, dtype="float32", compiled=(), **options):
    require_simt("check")
    (found,) = cost.count([problem(operator, n, **options).of(dtype)], compiled)
    return found


def test_relu_moves_each_sector_once(register):
    """4096 values of 4 bytes are 512 sectors either way. A thread has 16 bytes: 1024 threads, 32 warps, 4 blocks."""
    register("test_relu", ops.relu_forward)
    found = counted("test_relu", 4096)
    assert (found.floor, found.moved, found.asked, found.ratio, found.asked_ratio) == (
        32768,
        32768,
        32768,
        1,
        1,
    )
    assert found.bound == "memory"
    (kernel,) = found.kernels
    assert kernel == Kernel(
        name="elementwise_kernel<float, ReluForward, float>",
        launches=[{"grid": (4, 1, 1), "block": (256, 1, 1), "shared_bytes": 0, "count": 1}],
        buffers=[
            {"name": "x", "bytes": 16384, "read": 16384, "written": 0, "distinct_read": 16384, "distinct_written": 0},
            {"name": "y", "bytes": 16384, "read": 0, "written": 16384, "distinct_read": 0, "distinct_written": 16384},
        ],
        requests=2 * 32,
        lanes=2 * 1024,
        sectors=2 * 512,
        needed_sectors=2 * 512,
        passes=0,
        needed_passes=0,
        wasteful=[],
        compiled={},
    )  # fmt: skip


def test_relu_with_a_tail(register):
    """3 values more lie in one sector more; one thread reads and writes them one by one."""
    register("test_relu", ops.relu_forward)
    found = counted("test_relu", 4099)
    assert found.floor == 2 * 4 * 4099
    assert found.moved == 2 * 32 * 513
    assert found.asked == 2 * 32 * (512 + 3)
    (kernel,) = found.kernels
    assert (kernel.requests, kernel.lanes) == (2 * (32 + 3), 2 * (1024 + 3))
    assert kernel.launches[0]["grid"] == (5, 1, 1)


@pytest.mark.parametrize(("dtype", "of_a_thread"), [("float32", 4), ("float16", 8)])
def test_dropout_moves_each_sector_once(register, dtype, of_a_thread):
    """Its numbers come from a counter, so nothing moves but x and y; 16 bytes a thread in each dtype."""
    register("test_dropout", ops.dropout_forward)
    found = counted("test_dropout", 8192, dtype, settings={"p": 0.3, "seed": 1, "stream": 2})
    nbytes = 8192 * (16 // of_a_thread)
    assert (found.floor, found.moved, found.asked) == (2 * nbytes, 2 * nbytes, 2 * nbytes)
    (kernel,) = found.kernels
    threads = 8192 // of_a_thread
    assert kernel.launches == [
        {"grid": (threads // 256, 1, 1), "block": (256, 1, 1), "shared_bytes": 0, "count": 1}
    ]
    assert (kernel.requests, kernel.lanes) == (2 * threads // 32, 2 * threads)
    assert kernel.sectors == kernel.needed_sectors == 2 * nbytes // 32


def test_what_the_compiler_says_is_beside_the_kernel(register):
    register("test_relu", ops.relu_forward)
    compiled = [
        *read_report(REPORT),
        Compiled("elementwise_kernel<float, ReluForward, float>", "sm_80", 16, 0),
    ]
    found = counted("test_relu", 64, compiled=compiled)
    # Of two kernels of one name the one with more registers; none of sm_120, whose figures are not there.
    # 40 x 32 registers, 12 warps in each of 4 parts: 48, which are 6 blocks of 256 threads.
    assert found.kernels[0].compiled == {"sm_80": Residency(40, 128, 8, 16, 6, 48, 0.75, "registers")}


def test_source_lines_that_ask_for_more_than_they_need(register):
    """A lane has 8 float16 of x, so 8 float32 of the statistics: two loads of 16 bytes, each 32 bytes from lane to lane."""

    def normalise(x):
        mean = np.ones(256, np.float32)
        return ops.batch_norm_inference(x.reshape(64, 256), mean, mean)

    register("test_norm", normalise)
    found = counted("test_norm", 64 * 256, "float16")
    wasteful = found.kernels[0].wasteful
    assert wasteful
    for line in wasteful:
        assert line["line"].startswith("normalise.cu:")
        assert (line["space"], line["operation"], line["bytes"]) == ("global", "read", 16)
        assert line["sectors"] == 2 * line["needed_sectors"] == 32 * line["requests"]


def test_a_fault_in_a_kernel_ends_the_count(register, monkeypatch):
    executor = SimpleNamespace(clear=lambda: None, findings=lambda: ["data race in relu"])
    monkeypatch.setattr(cost.simt, "checked", lambda: contextlib.nullcontext(executor))
    register("test_relu", ops.relu_forward)
    chosen = [problem("test_relu", 8)]
    assert_refuses(lambda: list(cost.count(chosen)), CostError, "test_relu, (8,): data race in relu")


# ---- which problems


def sized(values, flops=0.0, name="", **settings):
    return Problem(
        "test_sizes", name or f"{values:g} {flops:g} {settings}", None, Work(flops, values), settings
    )


def test_the_largest_small_problem_of_each_kind_is_counted(register):
    small = [sized(1e5), sized(2e5), sized(2e5, mode="reflect"), sized(1e5, groups=4), sized(1e5, 4e6)]
    small = [dataclasses.replace(each, dtypes=("float32", "float16")) for each in small]
    register("test_sizes", None, *small, sized(1e7), sized(1e5, 5e7))
    chosen, too_large = cost.problems(["test_sizes"], ["float32", "float16", "float64"])
    assert too_large == []
    # float64 is no dtype of these problems.
    assert [(each.workload, each.dtype) for each in chosen] == [
        (each.workload, dtype) for each in small[1:] for dtype in ("float32", "float16")
    ]


def test_where_none_is_small_the_smallest_is_counted(register):
    register("test_sizes", None, sized(7e6), sized(6e6), sized(9e6))
    register("test_huge", None, dataclasses.replace(sized(9e6), operator="test_huge"))
    chosen, too_large = cost.problems(["test_sizes", "test_huge"], ["float32"])
    assert [each.work.values for each in chosen] == [6e6]
    assert too_large == ["test_huge"]


def test_what_consists_of_other_operators_is_left_out(register):
    register("test_sizes", None, sized(1e5), family="training")
    assert_refuses(
        lambda: cost.problems(["test_sizes"], ["float32"]),
        ValueError,
        "no operator that is counted begins with",
    )


def test_an_unknown_operator():
    assert_refuses(
        lambda: cost.problems(["nosuch"], ["float32"]), ValueError, "begins with 'nosuch'; the families are "
    )


# Those that move another share of their floor, and why.
OTHERS = {
    # The gradient of the inputs waits for nothing, yet dy is read again for it: 4 arrays of 3, and partial sums.
    "batch_norm_inference_backward": (1.33, 1.36),
    # Contrast needs the mean of the image before its first pixel is written.
    "image_color": (1.50, 1.52),
    # What is erased is not read.
    "image_erase": (0.95, 0.97),
}


@pytest.mark.parametrize("operator", sorted(cost_problems.OPERATORS))
def test_operators_that_are_not_timed_move_their_floor(operator):
    require_simt("check")
    chosen, too_large = cost.problems([operator], ["float32"])
    assert too_large == []
    low, high = OTHERS.get(operator, (0.999, 1.01))
    (found,) = cost.count(chosen[:1])
    assert found.operator == operator
    assert low <= found.ratio <= high


# ---- the files


def test_two_runs_write_the_same_lines(register, tmp_path, capsys):
    require_simt("check")
    work = Work(flops=np.int64(4099), values=np.int64(2 * 4099))  # as products of shapes are
    register("test_relu", ops.relu_forward, dataclasses.replace(problem("test_relu", 4099), work=work))
    report = tmp_path / "report.txt"
    report.write_text(REPORT)
    kept = []
    for name in ("a", "b"):
        assert cost.main(["test_relu"], tmp_path / name, report=report) == 0
        kept.append(np.empty(1000, np.uint8))  # the next arrays lie elsewhere
    for file in (cost.NAME, cost.REPORT):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    head, *rows = [json.loads(line) for line in (tmp_path / "a" / cost.NAME).read_text().splitlines()]
    assert head.keys() == {"kind", "schema", "commit", "compiler", "compile_report"}
    assert (head["kind"], head["schema"]) == ("cost_head", 1)
    assert [(row["kind"], row["operator"], row["dtype"]) for row in rows] == [
        ("cost", "test_relu", "float32"), ("cost", "test_relu", "float16"),
    ]  # fmt: skip
    assert rows[0].keys() == {"kind", *(field.name for field in dataclasses.fields(Cost))}
    assert rows[0]["moved"] == 2 * 32 * 513
    assert f"everything is in {tmp_path / 'b'}" in capsys.readouterr().out


def kernel(**counts):
    zero = dict.fromkeys(("requests", "lanes", "sectors", "needed_sectors", "passes", "needed_passes"), 0)
    parts = {"launches": [], "buffers": [], "wasteful": [], "compiled": {}}
    return Kernel(**{"name": "kernel<float>", **parts, **zero, **counts})


def row(operator, ratio, asked_ratio, bound="memory", **counts):
    return Cost(
        operator, "test", "(3,)", "float32", 0, 1000, bound, 0, 0, ratio, asked_ratio, [kernel(**counts)]
    )


def line_cost(**counts):
    zero = dict.fromkeys(("sectors", "needed_sectors", "passes", "needed_passes"), 0)
    return {"line": "kernel.cu:7", "space": "shared", "operation": "read", **zero, **counts}


HEAD = {"commit": "abc", "compiler": "g++ 12", "compile_report": "none: no nvcc"}


def test_the_report_has_the_worst_first_and_says_what_exceeds_the_floor():
    twice = {"name": "x", "read": 3000, "written": 0, "distinct_read": 1000, "distinct_written": 0}
    once = {"name": "y", "read": 0, "written": 500, "distinct_read": 0, "distinct_written": 500}
    launch = {"grid": (7, 2, 1), "block": (64, 1, 1), "shared_bytes": 0, "count": 3}
    costs = [
        row("fine", 1.0, 1.05),
        row("moves", 1.5, 3.5, buffers=[once, twice], launches=[launch], requests=4, lanes=64, sectors=6,
            needed_sectors=4),
        row("asks", 1.0, 2.0),
        row("product", 1.0, 9.0, bound="math"),
    ]  # fmt: skip
    text = cost_report.markdown(HEAD, costs, ["huge_step"])
    assert "gpudl abc, executor by g++ 12, compile report: none: no nvcc." in text
    assert "4 calls of 4 operators, 3 of them bound by memory." in text
    assert "Of these move more than 1.05 times their floor: 1\n" in text
    assert "- moves float32, (3,): **1.50** = 1.00 x read + 0.50 y written\n" in text
    assert "- asks float32, (3,): 2.00 = \n" in text
    assert "- huge_step\n" in text
    assert "registers" not in text.partition("## Summary")[2]
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ") and "(3,)" in line]
    assert [each[0] for each in rows] == ["| moves", "| asks", "| fine", "| product"]
    assert rows[0][3:] == ["1.50", "3.50", "`kernel<float>`", "3: 7x2 x 64", "1.50", "", "16.0 |"]


def test_the_report_names_source_lines_that_waste():
    lines = [
        line_cost(passes=40, needed_passes=20),
        line_cost(line="rare.cu:9", passes=21, needed_passes=20),
        line_cost(line="apart.cu:5", space="global", sectors=8, needed_sectors=4),
        line_cost(line="little.cu:5", space="global", sectors=5, needed_sectors=4),
    ]
    costs = [row("a", 1.0, 1.0, wasteful=lines, needed_passes=100)]
    text = cost_report.markdown(HEAD, costs, [])
    assert "`kernel.cu:7` in `kernel`, shared read: 2.00 times (a float32, (3,))" in text
    assert "`apart.cu:5` in `kernel`, global read: 2.00 times" in text
    assert "rare.cu" not in text
    assert "little.cu" not in text
    assert (
        "Operators not counted, because their smallest problem is more than 32 MB or 600 MFLOP: none\n"
        in text
    )


def test_the_report_tells_of_registers_and_spills():
    compiled = {"sm_80": Residency(40, 128, 8, 16, 6, 48, 0.75, "registers")}
    text = cost_report.markdown(HEAD, [row("a", 1.0, 1.0, compiled=compiled)], [])
    assert "- `kernel<float>` on sm_80: 16 bytes spilled, 8 of stack\n" in text
    assert "| 40 registers, 75% (registers) |" in text


# ---- the command


def test_options_that_do_not_go_together(capsys):
    assert "--compile-report: only with --cost" in refused(capsys, "bench", "--compile-report", "report.txt")
    assert "--device cuda: not with --cost" in refused(capsys, "bench", "--cost", "--device", "cuda")
    assert "--quick: not with --cost" in refused(capsys, "bench", "--cost", "--quick")
    assert "--with: not with --cost" in refused(capsys, "bench", "--cost", "--with", "mine.py")
    assert "--seconds: not with --cost" in refused(capsys, "bench", "--cost", "--seconds", "1")
    assert "gpudl bench: --cost: no operator that" in refused(capsys, "bench", "--cost", "nosuch")


def test_a_file_in_place_of_the_folder_is_refused_before_anything_is_compiled(tmp_path, monkeypatch, capsys):
    taken = tmp_path / "file"
    taken.touch()
    monkeypatch.setattr(cost.simt, "build_own", lambda variant: pytest.fail("compiled"))
    assert f"--output: {taken} is no folder" in refused(capsys, "bench", "--cost", "--output", taken)


def test_the_command(tmp_path, monkeypatch):
    from gpudl.cli import main

    calls = []
    monkeypatch.setattr(cost, "main", lambda *arguments, **options: calls.append((arguments, options)) or 0)
    arguments = [
        "conv2d",
        "--cost",
        "--output",
        str(tmp_path),
        "--dtype",
        "bfloat16",
        "--compile-report",
        "r.txt",
    ]
    assert main(["bench", *arguments]) == 0
    assert main(["bench", "--cost"]) == 0
    assert calls == [
        ((["conv2d"], tmp_path), {"dtypes": ("bfloat16",), "report": Path("r.txt")}),
        (([], Path("bench-cost")), {"dtypes": ("float32", "float16"), "report": None}),
    ]
