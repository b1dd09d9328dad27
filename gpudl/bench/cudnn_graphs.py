"""cuDNN by its graphs, through nvidia-cudnn-frontend and no other library: integer pointers, any array.

A graph knows layouts and dtypes alone; which of cuDNN's plans runs it is the contender's choice: the one that its
heuristics name first, or the fastest of all of them, each of which is timed once while the contender prepares.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import numpy as np

from gpudl.bench.contender import Prepared, UnsupportedError

WORKSPACE = 256 << 20  # bytes that a plan may use
LISTED = 5  # plans that failed, of which a row tells
PLAN_CALLS = 5  # of each plan, timed together after one that is not
_TYPES = {"float32": "FLOAT", "float16": "HALF", "bfloat16": "BFLOAT16"}


@dataclasses.dataclass(frozen=True)
class Layout:
    """What a graph knows of an array: 4 extents, 4 strides in elements, its dtype."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: str

    @classmethod
    def of(cls, array: Any) -> Layout:
        """An array of fewer axes has axes of one element after them; (C,) is a vector of channels."""
        if array.ndim == 1:
            return cls.channels(array.shape[0], str(array.dtype))
        strides = [stride // array.dtype.itemsize for stride in array.strides]
        rest = 4 - array.ndim
        # cuDNN reads the layout off the strides: those of axes of one element are as in channels-last memory.
        return cls((*array.shape, *[1] * rest), (*strides, *[array.shape[1]] * rest), str(array.dtype))

    @classmethod
    def channels(cls, count: int, dtype: str = "float32") -> Layout:
        return cls((1, count, 1, 1), (count, 1, count, count), dtype)

    @classmethod
    def channels_last(cls, shape: tuple[int, ...], dtype: str) -> Layout:
        _, c, h, w = shape
        return cls(tuple(shape), (h * w * c, 1, w * c, c), dtype)


@dataclasses.dataclass(frozen=True)
class Mode:
    """Which plans are allowed, beside those that would take more than WORKSPACE.

    tensor_cores : for float32, where they multiply in TF32; other dtypes always may. deterministic : the same bits
    every time. Sums are in float32 always.
    """

    tensor_cores: bool = False
    deterministic: bool = True

    def excluded(self, dtype: str) -> list[str]:
        """The numerical notes of plans that are out."""
        notes = ["REDUCED_PRECISION_REDUCTION"]
        if dtype == "float32" and not self.tensor_cores:
            notes += ["TENSOR_CORE", "DOWN_CONVERT_INPUTS"]
        return notes + ["NONDETERMINISTIC"] * self.deterministic

    @property
    def words(self) -> str:
        texts = [f"workspace up to {WORKSPACE >> 20} MiB"]
        texts += ["products in TF32"] * self.tensor_cores + ["not deterministic"] * (not self.deterministic)
        return ", ".join(texts)


class Graph:
    """A graph as it is built: named tensors, with a number each, by which arrays are bound to it."""

    def __init__(self, cudnn: ModuleType, dtype: str, **options: Any):
        """options : of cudnn.pygraph: handle, or device_property where no GPU is."""
        self.cudnn, self.dtype = cudnn, dtype
        kinds = cudnn.data_type
        self.graph = cudnn.pygraph(
            io_data_type=self._type(dtype), intermediate_data_type=kinds.FLOAT, compute_data_type=kinds.FLOAT, **options
        )  # fmt: skip
        self.numbers: dict[str, int] = {}

    def input(self, name: str, layout: Layout) -> Any:
        return self.graph.tensor(
            name=name, dim=list(layout.shape), stride=list(layout.strides), data_type=self._type(layout.dtype),
            uid=self._number(name),
        )  # fmt: skip

    def number(self, name: str) -> Any:
        """A float32 that is read from the host when the graph runs."""
        return self.graph.tensor(
            name=name, dim=[1] * 4, stride=[1] * 4, data_type=self.cudnn.data_type.FLOAT, is_pass_by_value=True,
            uid=self._number(name),
        )  # fmt: skip

    def output(self, tensor: Any, name: str, layout: Layout) -> None:
        tensor.set_output(True).set_uid(self._number(name)).set_data_type(self._type(layout.dtype))
        tensor.set_dim(list(layout.shape)).set_stride(list(layout.strides))

    def plan(self, mode: Mode) -> None:
        """Ask cuDNN for plans. UnsupportedError where it has none for this graph."""
        cudnn, graph = self.cudnn, self.graph
        try:
            graph.validate()
            graph.build_operation_graph()
            graph.create_execution_plans([cudnn.heur_mode.A, cudnn.heur_mode.FALLBACK])
        except cudnn.cudnnGraphNotSupportedError as error:
            raise UnsupportedError(f"cuDNN: {_first_line(error)}") from None
        graph.deselect_workspace_greater_than(WORKSPACE)
        graph.deselect_numeric_notes(
            [getattr(cudnn.numerical_note, name) for name in mode.excluded(self.dtype)]
        )

    def _number(self, name: str) -> int:
        return self.numbers.setdefault(name, len(self.numbers) + 1)

    def _type(self, dtype: str) -> Any:
        return getattr(self.cudnn.data_type, _TYPES[dtype])


# ---- what is computed


Settings = Mapping[str, Any]
Layouts = Mapping[str, Layout]


def conv2d_forward(graph: Graph, arrays: Layouts, settings: Settings) -> None:
    """x, weight and bias to y, in one graph."""
    y = graph.graph.conv_fprop(
        image=graph.input("x", arrays["x"]), weight=graph.input("weight", arrays["weight"]), **_window(settings)
    )  # fmt: skip
    y = graph.graph.bias(input=y, bias=graph.input("bias", arrays["bias"]))
    graph.output(y, "y", arrays["y"])


def conv2d_backward_data(graph: Graph, arrays: Layouts, settings: Settings) -> None:
    dx = graph.graph.conv_dgrad(
        loss=graph.input("dy", arrays["dy"]), filter=graph.input("weight", arrays["weight"]), **_window(settings)
    )  # fmt: skip
    graph.output(dx, "dx", arrays["dx"])


def conv2d_backward_weight(graph: Graph, arrays: Layouts, settings: Settings) -> None:
    dweight = graph.graph.conv_wgrad(
        image=graph.input("x", arrays["x"]), loss=graph.input("dy", arrays["dy"]), **_window(settings)
    )  # fmt: skip
    graph.output(dweight, "dweight", arrays["dweight"])


def batch_norm_forward(graph: Graph, arrays: Layouts, settings: Settings) -> None:
    """y, the statistics for the backward, and the running ones of after it; settings["relu"] : y is of max(y, 0)."""
    inputs = {name: graph.input(name, arrays[name]) for name in ("x", "weight", "bias", "mean", "var")}
    y, *statistics = graph.graph.batchnorm(
        input=inputs["x"], scale=inputs["weight"], bias=inputs["bias"], in_running_mean=inputs["mean"],
        in_running_var=inputs["var"], epsilon=graph.number("eps"), momentum=graph.number("momentum"),
    )  # fmt: skip
    _activated(graph, y, arrays, settings)
    for name, tensor in zip(("saved_mean", "saved_rstd", "next_mean", "next_var"), statistics, strict=True):
        graph.output(tensor, name, arrays[name])


def batch_norm_backward(graph: Graph, arrays: Layouts, settings: Settings) -> None:
    """settings["relu"] : dy is that of max(y, 0), and y is computed again."""
    names = ("dy", "x", "weight", "mean", "rstd", *(["bias"] if settings["relu"] else []))
    inputs = {name: graph.input(name, arrays[name]) for name in names}
    dy, x, weight, mean, rstd = (inputs[name] for name in names[:5])
    if settings["relu"]:
        y = graph.graph.batchnorm_inference(
            input=x, mean=mean, inv_variance=rstd, scale=weight, bias=inputs["bias"]
        )
        dy = graph.graph.relu_backward(loss=dy, input=y)
    results = graph.graph.batchnorm_backward(grad=dy, input=x, scale=weight, mean=mean, inv_variance=rstd)
    for name, tensor in zip(("dx", "dweight", "dbias"), results, strict=True):
        graph.output(tensor, name, arrays[name])


def batch_norm_inference(graph: Graph, arrays: Layouts, settings: Settings) -> None:
    inputs = {name: graph.input(name, arrays[name]) for name in ("x", "weight", "bias", "mean", "rstd")}
    y = graph.graph.batchnorm_inference(
        input=inputs["x"], mean=inputs["mean"], inv_variance=inputs["rstd"], scale=inputs["weight"],
        bias=inputs["bias"],
    )  # fmt: skip
    _activated(graph, y, arrays, settings)


def _activated(graph: Graph, y: Any, arrays: Layouts, settings: Settings) -> None:
    if settings["relu"]:
        y = graph.graph.relu(input=y)
    graph.output(y, "y", arrays["y"])


def _window(settings: Settings) -> dict[str, list[int]]:
    """cuDNN reads the number of groups off the shapes."""
    return {name: [settings[name]] * 2 for name in ("padding", "stride", "dilation")}


OPERATORS = {
    function.__name__: function
    for function in (
        conv2d_forward, conv2d_backward_data, conv2d_backward_weight,
        batch_norm_forward, batch_norm_backward, batch_norm_inference,
    )
}  # fmt: skip


# ---- plans


@dataclasses.dataclass
class Plans:
    """A graph and those of its plans that could be built, in the order of cuDNN's heuristics."""

    graph: Graph
    built: dict[int, str]  # names by index
    failed: list[str]
    fastest: int | None = None  # once they have been timed

    def run(self, index: int, pointers: dict[int, int], workspace: int) -> None:
        self.graph.graph.execute_plan_at_index(pointers, workspace=workspace, index=index, handle=handle())

    def workspace(self, index: int) -> int:
        return self.graph.graph.get_workspace_size_plan_at_index(index)

    def find_fastest(self, seconds: Callable[[int], float]) -> int:
        """seconds : of a plan by its index. A plan that fails then is skipped, and listed."""
        if self.fastest is None:
            times = {}
            for index, name in self.built.items():
                try:
                    times[index] = seconds(index)
                except Exception as error:  # a plan may build and not run
                    self.failed.append(f"{name} ({_first_line(error)})")
            if not times:
                raise UnsupportedError(f"cuDNN: no plan runs{_failures(self.failed)}")
            self.fastest = min(times, key=times.__getitem__)
        return self.fastest

    def words(self, index: int) -> str:
        return f"plan {self.built[index]}, one of {len(self.built)}{_failures(self.failed)}"


@functools.lru_cache(maxsize=8)
def plans(
    operator: str, arrays: tuple[tuple[str, Layout], ...], settings: tuple[tuple[str, Any], ...], mode: Mode
) -> Plans:
    """Found once for all sets of inputs of a problem, warm and cold. UnsupportedError where there is none."""
    graph = Graph(cudnn(), dict(arrays)[MAIN[operator]].dtype, handle=handle())
    return built_plans(graph, operator, dict(arrays), dict(settings), mode)


def built_plans(graph: Graph, operator: str, arrays: Layouts, settings: Settings, mode: Mode) -> Plans:
    OPERATORS[operator](graph, arrays, settings)
    graph.plan(mode)
    built, failed = {}, []
    for index in range(graph.graph.get_execution_plan_count()):
        name = graph.graph.get_plan_name_at_index(index)
        try:
            graph.graph.build_plan_at_index(index)
            built[index] = name
        except Exception as error:  # the frontend raises several types for a plan that cannot be
            if "Deselecting" not in str(error) and "excluded by" not in str(error):
                failed.append(f"{name} ({_first_line(error)})")
    if not built:
        raise UnsupportedError(f"cuDNN has no plan for this with {mode.words}{_failures(failed)}")
    return Plans(graph, built, failed)


# The array whose dtype is that of the problem.
MAIN = {name: "dy" if "backward" in name else "x" for name in OPERATORS}


def cudnn() -> ModuleType:
    try:
        import cudnn
    except ImportError as error:
        raise UnsupportedError(f"{error}: pip install 'gpudl[cudnn]' brings nvidia-cudnn-frontend") from None
    return cudnn


@functools.cache
def handle() -> Any:
    """One for the process."""
    return cudnn().create_handle()


# ---- contenders


def prepare(
    operator: str, arrays: dict[str, Any], numbers: dict[str, float], results: tuple[str, ...], settings: Settings,
    mode: Mode, *, best: bool,
) -> Prepared:  # fmt: skip
    """The call of a graph on CuPy arrays: `arrays` has inputs and outputs by the graph's names, `numbers` what is read
    from the host, `results` names what the call returns."""
    import cupy

    dtype = str(arrays[MAIN[operator]].dtype)
    if dtype not in _TYPES:
        raise UnsupportedError(f"cuDNN's graphs do not take {dtype}")
    layouts = tuple((name, Layout.of(array)) for name, array in arrays.items())
    found = plans(operator, layouts, tuple(settings.items()), mode)
    on_host = {name: np.full(1, value, np.float32) for name, value in numbers.items()}
    pointers = {found.graph.numbers[name]: array.data.ptr for name, array in arrays.items()}
    pointers |= {found.graph.numbers[name]: array.ctypes.data for name, array in on_host.items()}

    def seconds(index: int) -> float:
        scratch = cupy.empty(found.workspace(index), np.uint8)
        found.run(index, pointers, scratch.data.ptr)
        start, end = cupy.cuda.Event(), cupy.cuda.Event()
        start.record()
        for _ in range(PLAN_CALLS):
            found.run(index, pointers, scratch.data.ptr)
        end.record()
        end.synchronize()
        return cupy.cuda.get_elapsed_time(start, end)

    cudnn().set_stream(handle=handle(), stream=cupy.cuda.get_current_stream().ptr)
    index = found.find_fastest(seconds) if best else next(iter(found.built))
    # What the pointers point to lives as long as the call.
    memory = {**arrays, **on_host, "workspace": cupy.empty(found.workspace(index), np.uint8)}

    def call() -> tuple[Any, ...]:
        found.run(index, pointers, memory["workspace"].data.ptr)
        return tuple(memory[name] for name in results)

    return Prepared(call, found.words(index))


def _failures(failed: list[str]) -> str:
    """Of plans, the first few by name."""
    if not failed:
        return ""
    more = f" and {len(failed) - LISTED} more" if len(failed) > LISTED else ""
    return f"; failed: {'; '.join(failed[:LISTED])}{more}"


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:200]
