"""Figures in words."""

from __future__ import annotations

LARGEST_ERROR = 1e300


def seconds(value: float | None) -> str:
    """Four digits in the unit that suits: "12.34 ms"."""
    if value is None:
        return ""
    for factor, unit in ((1, "s"), (1e3, "ms"), (1e6, "us")):
        if value * factor >= 1:
            return f"{_digits(value * factor)} {unit}"
    return f"{_digits(value * 1e9)} ns"


def rate(value: float, unit: str) -> str:
    """ "123.4 GFLOP/s"; a time stays one."""
    if unit == "s":
        return seconds(value)
    for factor, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if value >= factor:
            return f"{_digits(value / factor)} {prefix}{unit}"
    return f"{_digits(value)} {unit}"


def error(value: float, digits: str = ".3g") -> str:
    """A record has no infinite numbers: LARGEST_ERROR stands for those, and for NaN."""
    return "infinite" if value >= LARGEST_ERROR else f"{value:{digits}}"


def span(value: float) -> str:
    """How long something goes on: "45 s", "3 min", "1 h 5 min"."""
    minutes = round(value / 60)
    if value < 90:
        return f"{value:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def plain(text: str) -> str:
    """One line, without characters that steer a terminal or cannot be seen."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _digits(value: float) -> str:
    if value < 1:
        return f"{value:.3g}"
    return f"{value:.{max(0, 4 - len(str(int(value))))}f}"
