"""Ticks of log axes, and how a number is written at a tick: the same in both renderers."""

import math

from hf_ctxscale.study import size_label

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
LARGEST_PLAIN = 1e5  # larger numbers that are no counts are written as powers of ten
SMALLEST_PLAIN = 1e-4
MOST_POWERS = 7  # decades with a tick each; of more, every second or third has one


def log_ticks(low: float, high: float) -> tuple[float, ...]:
    """The ticks of a log axis from ``low`` to ``high``: about four to seven, plain multiples of powers of ten, the shorter the axis the more."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    span = high / low
    step = max(1, math.ceil(math.log10(span) / MOST_POWERS - 1e-9))
    ticks = [multiple * 10.0**power for power in powers if power % step == 0 for multiple in _multiples(span)]
    # A limit that is itself a tick must not be lost to rounding.
    return tuple(tick for tick in ticks if low * (1 - 1e-9) <= tick <= high * (1 + 1e-9))


def tick_text(value: float, *, counts: bool) -> str:
    """``26K`` of a count; ``0.05``, ``300`` or ``3·10¹⁵`` of another number."""
    if counts and abs(value) >= 1:
        return size_label(value)
    if value == 0 or SMALLEST_PLAIN <= abs(value) <= LARGEST_PLAIN:
        return f"{value:g}"
    return power_text(value)


def power_text(value: float) -> str:
    """``10⁵``, ``3·10¹⁵``: a positive number by its power of ten."""
    exponent = math.floor(math.log10(value) + 1e-9)
    power = f"10{str(exponent).translate(SUPERSCRIPTS)}"
    factor = f"{value / 10.0**exponent:.3g}"
    return power if factor == "1" else f"{factor}·{power}"


def _multiples(span: float) -> tuple[int, ...]:
    """Which multiples of each power of ten have a tick, so that the labels do not touch."""
    if span < 6:
        return (1, 2, 3, 4, 5, 6, 8)
    if span < 30:
        return (1, 2, 3, 5)
    if span < 150:
        return (1, 2, 5)
    return (1, 3) if span < 3e3 else (1,)
