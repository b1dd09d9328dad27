"""The training loop: epochs of steps, validation, callbacks, and a state from which a run goes on bit for bit."""

from __future__ import annotations

import contextlib
import copy
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from gpudl import _backend, random
from gpudl._backend import Array
from gpudl._grad_mode import no_grad
from gpudl.metrics import Mean, Metric
from gpudl.nn.module import Module
from gpudl.ops import _arrays
from gpudl.optim import Optimizer, clip_grad_norm_, clip_grad_value_
from gpudl.train import checkpoint
from gpudl.train._checks import bound, list_of_callbacks, require_keys, require_parts
from gpudl.train._interrupt import Interrupted, InterruptGuard
from gpudl.train.callbacks.callback import Callback, Row
from gpudl.train.callbacks.history import History

_STATE = ("model", "optimizer", "random", "loader", "progress", "callbacks")
_PROGRESS = ("epoch", "batch", "step", "seconds", "stop_reason", "loss", "metrics")


class Trainer:
    """Trains a model: `Trainer(model, criterion, optimizer).fit(train, validation, epochs=10)`.

    Parameters
    ----------
    model : a Module. criterion : a loss that gives one number. optimizer : over parameters of the model.
    metrics : {"accuracy": metrics.Accuracy(), ...}; they are copied, counted over each epoch on the device of the
        model, and read once at its end.
    callbacks : called in this order.
    accumulate : batches whose gradients are averaged to one step.
    clip_grad_norm, clip_grad_value : bounds on the gradients of a step, see `optim.clip_grad_norm_`.

    epoch : epochs done. step : steps of the optimizer done. stop_reason : why the run was stopped early, or None.
    diverged : whether it was stopped because its state is worth nothing any more.
    history : the History among the callbacks, or one of its own.

    `state_dict()` after any step holds all that the rest of the run depends on: model, optimizer, schedules, random
    streams, the position in the data, sums of metrics. A run that is resumed from it ends with the bits of one that
    never stopped, provided that the data loader has a state (`data.DataLoader` does).
    """

    def __init__(
        self,
        model: Module,
        criterion: Any,
        optimizer: Optimizer,
        *,
        metrics: dict[str, Metric] | None = None,
        callbacks: Sequence[Callback] = (),
        accumulate: int = 1,
        clip_grad_norm: float | None = None,
        clip_grad_value: float | None = None,
    ):
        callbacks = list_of_callbacks(callbacks)
        require_parts(model, criterion, optimizer, metrics)
        self.model = model
        self.criterion = criterion
        self.optimizer = optimizer
        self.accumulate = _arrays.integer("Trainer", "accumulate", accumulate, minimum=1)
        self.clip_grad_norm = bound("clip_grad_norm", clip_grad_norm)
        self.clip_grad_value = bound("clip_grad_value", clip_grad_value)
        optimizer.name_parameters(model.named_parameters())
        found = next((c for c in callbacks if isinstance(c, History)), None)
        self.history = History() if found is None else found
        self.callbacks: list[Callback] = [self.history] * (found is None) + callbacks
        self._metrics = {name: copy.deepcopy(metric) for name, metric in (metrics or {}).items()}
        self._loss = Mean()
        self.epoch = self.step = self.batch = 0
        self.epochs = 0
        self.steps_per_epoch = 0
        self.stop_reason: str | None = None
        self.diverged = False
        self._loader_state: dict[str, Any] | None = None  # after the last batch that was taken
        self._continues = False  # a state was loaded: `fit` goes on with it
        self._seconds = 0.0
        self._clock = time.perf_counter()

    # ---- the three verbs

    def fit(self, train: Iterable[Any], validation: Iterable[Any] | None = None, *, epochs: int) -> History:
        """Train until `epochs` epochs are done in all, those before a resume or an earlier `fit` included.

        train, validation : loaders of batches (inputs, targets), with a length; PyTorch's, with its tensors, too.
        The row of an epoch has "train_loss", "val_loss", and the metrics in the same way: means over samples, those of
        training taken while the model changed. Ctrl-C and SIGTERM wait for the end of the step, save a checkpoint
        where a callback does that, and raise `Interrupted`, a KeyboardInterrupt; a second one stops at once.
        """
        self.epochs = _arrays.integer("Trainer.fit", "epochs", epochs, minimum=0)
        for name, loader in (("train", train), ("validation", validation)):
            if loader is not None and not (hasattr(loader, "__iter__") and hasattr(loader, "__len__")):
                raise TypeError(
                    f"Trainer.fit: {name} must have __iter__ and __len__, got {type(loader).__name__}"
                )
        if len(train) == 0:  # type: ignore[arg-type]
            raise ValueError("Trainer.fit: train must have at least one batch, got none")
        if validation is not None and len(validation) == 0:  # type: ignore[arg-type]
            raise ValueError("Trainer.fit: validation must have at least one batch, or be None, got none")
        self._take_loader(train)
        with InterruptGuard() as guard:
            self._run(train, validation, guard)
        return self.history

    def evaluate(self, data: Iterable[Any]) -> dict[str, float]:
        """{"loss", and the metrics} over the batches (inputs, targets) of `data`, in evaluation mode."""
        return self._evaluate(data, None)

    def predict(self, data: Any, batch_size: int = 256) -> Array:
        """What the model gives in evaluation mode, batches joined. data : an array of inputs, or a loader of
        batches that are inputs or (inputs, targets)."""
        batch_size = _arrays.integer("Trainer.predict", "batch_size", batch_size, minimum=1)
        data = _backend.from_tensor(data)
        if _backend.is_array(data):
            data = [data[first : first + batch_size] for first in range(0, max(len(data), 1), batch_size)]
        outputs = []
        with no_grad(), _evaluation_mode(self.model):
            for batch in data:
                x = batch[0] if isinstance(batch, tuple | list) else batch
                outputs.append(self.model(_backend.move(_backend.from_tensor(x), self._device())))
        if not outputs:
            raise ValueError("Trainer.predict: data must have at least one batch, got none")
        return _backend.array_module(outputs[0]).concatenate(outputs)

    def stop(self, reason: str, *, diverged: bool = False) -> None:
        """End the run after this step. diverged : its state is worth nothing, so that no checkpoint is written."""
        self.stop_reason = reason
        self.diverged = diverged

    def running_loss(self) -> float:
        """The mean of the training loss over the epoch so far; waits for the device."""
        return float(self._loss.compute())

    # ---- the loop

    def _take_loader(self, train: Any) -> None:
        """Bring a loader to the place of a loaded state."""
        if self._continues and self._loader_state is not None:
            if not hasattr(train, "load_state_dict"):
                raise ValueError(
                    "Trainer.fit: train must have load_state_dict, as it had when the state was saved"
                )
            train.load_state_dict(self._loader_state)
        elif self.batch:
            raise ValueError(
                f"Trainer.fit: train must have a state to go on in the middle of an epoch, at batch {self.batch}"
            )
        if not self._continues:
            self.stop_reason = None
        self._note_place(train)
        self.steps_per_epoch = -(-len(train) // self.accumulate)

    def _note_place(self, train: Any) -> None:
        self._loader_state = train.state_dict() if hasattr(train, "state_dict") else None

    def _run(self, train: Any, validation: Any, guard: InterruptGuard) -> None:
        before = self.model.input_requires_grad
        self.model.input_requires_grad = False
        self.diverged = False
        try:
            self._call("on_fit_begin")
            self._continues = False
            while self.epoch < self.epochs and self.stop_reason is None:
                self._clock = time.perf_counter()
                self._train_epoch(train, guard)
                if not self.diverged:
                    self._end_epoch(validation, guard)
                    self._note_place(train)
                    self._checkpoint("epoch", guard)
            self._call("on_fit_end")
            if guard.signum is not None:
                raise Interrupted(guard.signum, self.step)
        except Interrupted:
            self._continues = True
            raise
        except BaseException:
            if not self._continues:  # else nothing has been done yet, and the state that was loaded is whole
                self._begin_epoch()  # what came of a part of it is worth nothing
            raise
        finally:
            self.model.input_requires_grad = before
            self.model.zero_grad()
            # an error of one keeps no other from giving back what it took
            with contextlib.ExitStack() as stack:
                for callback in reversed(self.callbacks):
                    stack.callback(callback.on_close, self)

    def _train_epoch(self, train: Any, guard: InterruptGuard) -> None:
        self.model.train()
        count = len(train)
        for batch in self._batches(train, guard):
            if self.batch == count:
                raise ValueError(f"Trainer.fit: train gave more batches than its length, {count}")
            first = self.batch - self.batch % self.accumulate
            self._backpropagate(batch, min(self.accumulate, count - first))
            self.batch += 1
            self._note_place(train)
            if self.batch % self.accumulate == 0 or self.batch == count:
                self._step()
                self._checkpoint("step", guard)
                if self.diverged:
                    return
        if self.batch != count:
            raise ValueError(f"Trainer.fit: train gave {self.batch} batches, but its length is {count}")

    def _batches(self, loader: Iterable[Any], guard: InterruptGuard | None) -> Iterator[Any]:
        """Of a loader. One that breaks after a signal had it too, as worker processes do: it is an interrupt."""
        batches = iter(loader)
        while True:
            try:
                batch = next(batches)
            except StopIteration:
                return
            except Exception:
                if guard is not None and guard.signum is not None and self.batch % self.accumulate == 0:
                    self._checkpoint("step", guard)
                raise
            yield batch

    def _backpropagate(self, batch: Any, group: int) -> None:
        """Add the gradients of one batch out of `group` that make a step."""
        x, target = self._inputs(batch)
        prediction = self.model(x)
        loss = self._value(prediction, target)
        share = None
        if group > 1:
            share = _arrays.empty((), loss.dtype, like=loss)
            _arrays.write(share, 1 / group)
        self.model.backward(self.criterion.backward(share))
        self._add(self._loss, loss, len(x))
        for metric in self._metrics.values():
            metric.update(prediction, target)

    def _step(self) -> None:
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        if self.clip_grad_norm is not None:
            clip_grad_norm_(parameters, self.clip_grad_norm)
        if self.clip_grad_value is not None:
            clip_grad_value_(parameters, self.clip_grad_value)
        self.optimizer.step()
        self.model.zero_grad()
        self.step += 1
        self._call("on_step_end")

    def _end_epoch(self, validation: Any, guard: InterruptGuard) -> None:
        row: Row = {
            "epoch": self.epoch + 1,
            "step": self.step,
            "lr": float(self.optimizer.param_groups[0]["lr"]),
        }
        row |= {f"train_{name}": value for name, value in self._read(self._loss, self._metrics).items()}
        if validation is not None:
            row |= {f"val_{name}": value for name, value in self._evaluate(validation, guard).items()}
        row["seconds"] = round(self._elapsed(), 3)
        self._call("on_epoch_end", row)
        self.epoch += 1
        self._begin_epoch()

    def _begin_epoch(self) -> None:
        self.batch = 0
        self._seconds, self._clock = 0.0, time.perf_counter()
        for metric in (self._loss, *self._metrics.values()):
            metric.reset()

    def _checkpoint(self, reason: str, guard: InterruptGuard) -> None:
        """Where the state is whole: callbacks may save it, and an interrupt that was noted takes effect."""
        if self.diverged:
            return
        interrupted = guard.signum is not None
        self._call("on_checkpoint", "interrupt" if interrupted and reason == "step" else reason)
        if interrupted:
            raise Interrupted(guard.signum, self.step)  # type: ignore[arg-type]

    def _evaluate(self, data: Iterable[Any], guard: InterruptGuard | None) -> dict[str, float]:
        loss, metrics = Mean(), {name: copy.deepcopy(metric) for name, metric in self._metrics.items()}
        for metric in metrics.values():
            metric.reset()
        with no_grad(), _evaluation_mode(self.model):
            for batch in self._batches(data, guard):
                if guard is not None and guard.signum is not None:
                    self._checkpoint("step", guard)
                x, target = self._inputs(batch)
                prediction = self.model(x)
                self._add(loss, self._value(prediction, target), len(x))
                for metric in metrics.values():
                    metric.update(prediction, target)
        return self._read(loss, metrics)

    @staticmethod
    def _add(mean: Mean, loss: Array, samples: int) -> None:
        if samples:  # the loss of an empty batch is NaN
            mean.update(loss, samples)

    @staticmethod
    def _read(loss: Mean, metrics: dict[str, Metric]) -> dict[str, float]:
        return {
            "loss": float(loss.compute()),
            **{name: float(metric.compute()) for name, metric in metrics.items()},
        }

    def _inputs(self, batch: Any) -> tuple[Array, Array]:
        if not isinstance(batch, tuple | list) or len(batch) != 2:
            got = f"{len(batch)} items" if isinstance(batch, tuple | list) else type(batch).__name__
            raise TypeError(f"Trainer: a batch must be (inputs, targets), got {got}")
        device = self._device()
        x, target = (_backend.move(_backend.from_tensor(item), device) for item in batch)
        return x, target

    def _value(self, prediction: Array, target: Array) -> Array:
        loss = self.criterion(prediction, target)
        if loss.ndim:
            raise ValueError(
                f"Trainer: criterion must give one number, got shape {loss.shape}; see its reduction"
            )
        return loss

    def _device(self) -> str:
        first = next(self.model.parameters(), None)
        return "cuda" if first is not None and _backend.is_cupy(first.data) else "cpu"

    def _elapsed(self) -> float:
        return self._seconds + time.perf_counter() - self._clock

    def _call(self, hook: str, *arguments: Any) -> None:
        for callback in self.callbacks:
            getattr(callback, hook)(self, *arguments)

    # ---- state

    def state_dict(self) -> dict[str, Any]:
        """All that the rest of the run depends on, for `checkpoint.save_checkpoint`. Arrays are not copied."""
        progress = {
            "epoch": self.epoch, "batch": self.batch, "step": self.step, "seconds": self._elapsed(),
            "stop_reason": self.stop_reason, "loss": self._loss.state_dict(),
            "metrics": {name: metric.state_dict() for name, metric in self._metrics.items()},
        }  # fmt: skip
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(keyed_by="name"),
            "random": random.default_generator.state_dict(),
            "loader": self._loader_state,
            "progress": progress,
            "callbacks": {
                name: callback.state_dict() for name, callback in self._callbacks_with_state().items()
            },
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over the state of a run of the same kind; `fit` goes on where it was.

        Raises ValueError or TypeError for what does not fit, and nothing has changed then.
        """
        require_keys("Trainer.load_state_dict", state, _STATE)
        before = _copied(self.state_dict())
        try:
            self._load(state)
        except BaseException:
            self._load(before)
            raise
        self._continues = True

    def resume(self, folder: str | Path) -> Path | None:
        """Load the newest whole checkpoint of `folder` and return its path; None where there is none at all.

        Damaged ones are named in a warning. Raises CheckpointError where all are damaged.
        """
        path, state, damaged = checkpoint.load_newest_checkpoint(folder)
        for error in damaged:
            warnings.warn(str(error), stacklevel=2)
        if state is None:
            if damaged:
                raise checkpoint.CheckpointError(f"{folder}: every checkpoint is damaged")
            return None
        try:
            self.load_state_dict(state)
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise checkpoint.CheckpointError(f"{path}: not of such a run: {error}") from error
        return path

    def _load(self, state: dict[str, Any]) -> None:
        op = "Trainer.load_state_dict"
        progress, callbacks = state["progress"], self._callbacks_with_state()
        require_keys(f"{op}: progress", progress, _PROGRESS)
        require_keys(f"{op}: metrics", progress["metrics"], self._metrics)
        require_keys(f"{op}: callbacks", state["callbacks"], callbacks)
        counts = [_arrays.integer(op, name, progress[name], minimum=0) for name in ("epoch", "batch", "step")]
        seconds = _arrays.real(op, "seconds", progress["seconds"], minimum=0)
        if not isinstance(progress["stop_reason"], str | None):
            raise TypeError(
                f"{op}: stop_reason must be text or None, got {type(progress['stop_reason']).__name__}"
            )
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        random.default_generator.load_state_dict(state["random"])
        self._loss.load_state_dict(progress["loss"])
        for name, metric in self._metrics.items():
            metric.load_state_dict(progress["metrics"][name])
        for name, callback in callbacks.items():
            callback.load_state_dict(state["callbacks"][name])
        self.epoch, self.batch, self.step = counts
        self._seconds, self._clock = seconds, time.perf_counter()
        self.stop_reason = progress["stop_reason"]
        self._loader_state = state["loader"]

    def _callbacks_with_state(self) -> dict[str, Callback]:
        """Callbacks that define `state_dict`, by class; the second of a class has a number."""
        named: dict[str, Callback] = {}
        for callback in self.callbacks:
            if type(callback).state_dict is not Callback.state_dict:
                same = sum(type(other) is type(callback) for other in named.values())
                named[type(callback).__name__ + (f" {same + 1}" if same else "")] = callback
        return named


def _copied(state: Any) -> Any:
    """`copy.deepcopy` of a state, but for arrays: CuPy before 14 copies no bfloat16."""
    if type(state) is dict:
        return {key: _copied(value) for key, value in state.items()}
    if type(state) in (list, tuple):
        return type(state)(map(_copied, state))
    return _arrays.copied(state) if _backend.is_array(state) else copy.deepcopy(state)


@contextlib.contextmanager
def _evaluation_mode(model: Module) -> Iterator[None]:
    """Evaluation mode inside the block; afterwards each layer has the mode it had."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
