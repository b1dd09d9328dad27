"""The few functions of CuPy that timing calls, which write down what was called: on a host nothing runs by itself."""

import contextlib


class FakeCupy:
    """`log` has the calls in order. `milliseconds` : what each call of a contender takes, counted by `work`."""

    def __init__(self):
        self.log = []
        self.now = 0.0  # milliseconds on the device
        self.capturing = None
        self.cuda = self
        self.ndarray = type(None)

    def work(self, milliseconds):
        """What a contender does on the device: time goes by, or the graph that is captured gets longer."""
        if self.capturing is not None:
            self.capturing.append(milliseconds)
        else:
            self.now += milliseconds

    def stream(self):
        return FakeStream(self)

    # ---- cupy.cuda

    def Event(self):  # noqa: N802
        return FakeEvent(self)

    def get_elapsed_time(self, start, end):
        assert "synchronize" in self.log[end.place :], "the end was not waited for"
        return end.at - start.at

    def MemoryPool(self):  # noqa: N802
        self.log.append("pool")
        return self

    def malloc(self, nbytes):
        raise NotImplementedError

    @contextlib.contextmanager
    def using_allocator(self, allocator):
        self.log.append("own memory")
        yield
        self.log.append("common memory")


class FakeEvent:
    def __init__(self, cupy):
        self.cupy = cupy

    def record(self, stream):
        assert isinstance(stream, FakeStream), "events are recorded on the stream of the work"
        self.at, self.place = self.cupy.now, len(self.cupy.log)

    def synchronize(self):
        self.cupy.log.append("synchronize")


class FakeStream:
    def __init__(self, cupy):
        self.cupy = cupy

    def synchronize(self):
        assert self.cupy.capturing is None, "waiting ends a capture"
        self.cupy.log.append("synchronize")

    def begin_capture(self):
        self.cupy.log.append("begin capture")
        self.cupy.capturing = []

    def end_capture(self):
        self.cupy.log.append("end capture")
        captured, self.cupy.capturing = self.cupy.capturing, None
        return FakeGraph(self.cupy, captured)


class FakeGraph:
    def __init__(self, cupy, captured):
        self.cupy, self.captured = cupy, captured

    def launch(self, stream):
        assert isinstance(stream, FakeStream)
        self.cupy.log.append("replay")
        self.cupy.now += sum(self.captured)
