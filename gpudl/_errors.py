"""Errors that the compiled executors raise."""

from __future__ import annotations


class CudaError(RuntimeError):
    """A CUDA call or a launch failed, or a kernel on the CPU executor did something it must not.

    expression : what was called. file, line : where, in gpudl's sources. text : what CUDA, or the executor, says.
    """

    def __init__(self, expression: str, file: str, line: int, text: str):
        super().__init__(f"{expression} at {file}:{line}: {text}")
        self.expression, self.file, self.line, self.text = expression, file, line, text
