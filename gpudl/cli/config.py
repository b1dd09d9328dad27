"""The configuration of a run: options of the command line, a TOML file, and what they resolve to."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gpudl import _backend, models

OPTIMIZERS = {"sgd": 0.05, "adam": 2e-3, "adamw": 2e-3, "rmsprop": 1e-3}  # and their default learning rates
SCHEDULES = ("constant", "cosine", "one-cycle", "step", "exponential", "plateau")
AUGMENTATIONS = ("none", "affine", "crop-flip", "strong")
DEVICES = _backend.BACKENDS
_LARGEST_SIDE = 1 << 15  # of images
_LARGEST_SEED = (1 << 32) - 1  # that scikit-learn takes, which splits the data


class ConfigError(ValueError):
    """An option, or a file of options, that does not fit."""


def describe(error: Exception) -> str:
    """An error in words; those of the system begin with the file."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error)


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """All that a run depends on. Each field is an option of `gpudl train` and a key of its TOML file.

    lr None : the optimizer's default. augment None : "crop-flip" for colour images, "affine" for grey ones.
    device : by default that of GPUDL_DEVICE, else "cpu".
    `resolved` replaces None by what it stands for, and makes the path of the data one that holds in any folder.
    """

    data: str = "digits"
    image_size: int | None = None
    model: str = "small-cnn"
    epochs: int = 25
    batch_size: int = 64
    optimizer: str = "adamw"
    lr: float | None = None
    schedule: str = "one-cycle"
    augment: str | None = None
    weight_decay: float = 0.01
    early_stopping: int | None = None
    validation: float = 0.1
    checkpoint_steps: int = 200
    seed: int = 0
    device: str = dataclasses.field(default_factory=_backend.current_backend)

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            object.__setattr__(self, field.name, _checked(field.name, value))

    def resolved(self, channels: int) -> RunConfig:
        """The same with every choice made."""
        return dataclasses.replace(
            self,
            data=absolute(self.data),
            lr=OPTIMIZERS[self.optimizer] if self.lr is None else self.lr,
            augment=("affine" if channels == 1 else "crop-flip") if self.augment is None else self.augment,
        )


def absolute(data: str) -> str:
    """The path of the data as it holds in any folder; "digits" is none."""
    return data if data == "digits" else os.path.abspath(data)


def names() -> list[str]:
    """The options, as keys of a file."""
    return [field.name for field in dataclasses.fields(RunConfig)]


def read_config(path: str | Path) -> dict[str, Any]:
    """The options of a TOML file. Raises ConfigError for what is no TOML or no option; FileNotFoundError."""
    tomlkit = _tomlkit()
    try:
        content = tomlkit.parse(Path(path).read_text(encoding="utf-8")).unwrap()
    except (tomlkit.exceptions.TOMLKitError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: no TOML file: {error}") from error
    options = {key.replace("-", "_"): value for key, value in content.items()}
    if len(options) < len(content):
        raise ConfigError(f"{path}: an option twice, with - and with _: {', '.join(content)}")
    unknown = sorted(set(options) - set(names()))
    if unknown:
        raise ConfigError(f"{path}: unknown {', '.join(unknown)}; there are {', '.join(names())}")
    return options


def write_config(config: RunConfig) -> str:
    """The options as TOML; those that are None are left out, as TOML has no such value."""
    values = {name: value for name, value in dataclasses.asdict(config).items() if value is not None}
    return _tomlkit().dumps(values)


def _tomlkit() -> Any:
    try:
        import tomlkit
        import tomlkit.exceptions
    except ImportError as error:
        raise ImportError("configuration files need tomlkit: pip install 'gpudl[train]'") from error
    return tomlkit


# ---- checks, one for each option


def _checked(name: str, value: Any) -> Any:
    default = RunConfig.__dataclass_fields__[name].default
    if value is None and default is None:
        return None
    return _CHECKS[name](f"--{name.replace('_', '-')}", value)


def _text(what: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{what}: expected text, got {value!r}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ConfigError(f"{what}: expected text that UTF-8 can write, got {value!r}") from error
    return value


def _integer(minimum: int, maximum: int = 1 << 62) -> Callable[[str, Any], int]:
    def check(what: str, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
            raise ConfigError(f"{what}: expected a whole number from {minimum} on, got {value!r}")
        if value > maximum:
            raise ConfigError(f"{what}: expected a whole number of at most {maximum}, got {value}")
        return value

    return check


def _real(low: float, high: float, words: str) -> Callable[[str, Any], float]:
    def check(what: str, value: Any) -> float:
        fits = isinstance(value, int | float) and not isinstance(value, bool)
        if not fits or not (math.isfinite(value) and low < value < high):
            raise ConfigError(f"{what}: expected a number {words}, got {value!r}")
        return float(value)

    return check


def _choice(allowed: tuple[str, ...]) -> Callable[[str, Any], str]:
    def check(what: str, value: Any) -> str:
        if value not in allowed:
            raise ConfigError(f"{what}: expected one of {', '.join(allowed)}, got {value!r}")
        return value

    return check


def _at_least_zero(what: str, value: Any) -> float:
    if not isinstance(value, bool) and value == 0:
        return 0.0
    return _real(0, math.inf, "of at least 0")(what, value)


_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "data": _text,
    "image_size": _integer(1, _LARGEST_SIDE),
    "model": _choice(tuple(models.names())),
    "epochs": _integer(1),
    "batch_size": _integer(1),
    "optimizer": _choice(tuple(OPTIMIZERS)),
    "lr": _real(0, math.inf, "above 0"),
    "schedule": _choice(SCHEDULES),
    "augment": _choice(AUGMENTATIONS),
    "weight_decay": _at_least_zero,
    "early_stopping": _integer(1),
    "validation": _real(0, 1, "between 0 and 1"),
    "checkpoint_steps": _integer(1),
    "seed": _integer(0, _LARGEST_SEED),
    "device": _choice(DEVICES),
}
