"""How a GPU is timed, in numbers: what the device decides without one."""

from __future__ import annotations

import math

MOST_COPIES = 64  # sets of inputs; more of them would fill neither L2 nor a row with news
READING = 2e-3  # seconds that a reading should last: events tell half a microsecond
CALLS = 20  # of a reading, at least, where they are short
MOST_CALLS = 256
LONG = 0.1  # seconds from which a call is a reading by itself

# What NVML's bits say of clocks that are lower than they could be; an idle GPU (bit 0) is no reason.
_THROTTLES = {
    0x2: "clocks are set",
    0x4: "power cap",
    0x8: "hardware slowdown",
    0x10: "sync boost",
    0x20: "heat (software)",
    0x40: "heat (hardware)",
    0x80: "power brake",
    0x100: "display clocks",
}


def copies(nbytes: int, l2: int, cache: str) -> int:
    """Sets of inputs of so many bytes that calls rotate through.

    Cold: between two uses of one set the others move twice L2 through it; at least 2, at most MOST_COPIES.
    """
    if cache == "warm":
        return 1
    return min(max(2, 1 + math.ceil(2 * l2 / max(nbytes, 1))), MOST_COPIES)


def calls_per_reading(seconds: float, sets: int) -> int:
    """How many calls of so many seconds a reading is the mean of: whole rounds through the sets of inputs.

    Short ones fill READING, and are CALLS at least; a call of LONG or more is one by itself.
    """
    if seconds >= LONG:
        return 1
    least = min(CALLS, math.ceil(LONG / max(seconds, 1e-9)))
    wanted = min(max(least, math.ceil(READING / max(seconds, 1e-9))), MOST_CALLS)
    return math.ceil(wanted / sets) * sets


def seconds_per_call(milliseconds: float, calls: int) -> float:
    return milliseconds / 1e3 / calls


def throttled(bits: int) -> str | None:
    """NVML's reasons of lowered clocks in words, None where there is none."""
    words = [text for bit, text in _THROTTLES.items() if bits & bit]
    rest = bits & ~1 & ~sum(_THROTTLES)
    return ", ".join([*words, *([f"reason {rest:#x}"] if rest else [])]) or None
