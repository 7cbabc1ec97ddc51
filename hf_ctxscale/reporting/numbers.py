"""How a report writes numbers: values with their intervals, signs where a difference is meant, a dash for what was not measured."""

import math

MISSING = "—"
DECIMALS = 3  # of losses and their differences: finer than any interval of a study


def number(value: float | None, *, decimals: int = DECIMALS, signed: bool = False) -> str:
    """``2.879``, or ``+0.115`` and ``−0.019`` for a difference; a dash for nothing."""
    if value is None or not math.isfinite(value):
        return MISSING
    text = f"{value:{'+' if signed else ''}.{decimals}f}"
    if float(text) == 0:
        text = text.lstrip("+-")
    return text.replace("-", "−")


def interval(low: float | None, high: float | None, *, decimals: int = DECIMALS, signed: bool = False) -> str:
    """``[2.810, 2.940]``; a dash where either end is missing."""
    if low is None or high is None:
        return MISSING
    return f"[{number(low, decimals=decimals, signed=signed)}, {number(high, decimals=decimals, signed=signed)}]"


def estimate(value: float | None, low: float | None, high: float | None, *, decimals: int = DECIMALS, signed: bool = False) -> str:
    """A value with its interval, ``2.879 [2.810, 2.940]``; the value alone where it has none."""
    middle = number(value, decimals=decimals, signed=signed)
    if middle == MISSING or low is None or high is None:
        return middle
    return f"{middle} {interval(low, high, decimals=decimals, signed=signed)}"


def significant(value: float | None, *, digits: int = 3) -> str:
    """Numbers of any size to some digits: ``0.0760``, ``12.3``, ``8.80e13``."""
    if value is None or not math.isfinite(value):
        return MISSING
    if value != 0 and not 1e-3 <= abs(value) < 1e5:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        return f"{mantissa}e{int(exponent)}".replace("-", "−")
    decimals = digits - 1 - math.floor(math.log10(abs(value))) if value else digits - 1
    return f"{value:.{max(decimals, 0)}f}".replace("-", "−")


def whole(value: int | None) -> str:
    """A count with its thousands set apart: ``26,312``."""
    return MISSING if value is None else f"{value:,}".replace("-", "−")


def percent(fraction: float | None, *, decimals: int = 1, signed: bool = False) -> str:
    """``1.2 %``, ``−0.6 %``."""
    return MISSING if fraction is None else f"{number(100 * fraction, decimals=decimals, signed=signed)} %"


def counted(count: int, noun: str) -> str:
    """``1 seed``, ``3 seeds``."""
    return f"{whole(count)} {noun}{'' if count == 1 else 's'}"
