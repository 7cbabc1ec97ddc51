"""find_crossover: where one law's loss falls below another's, only where both were measured.

Letters: R = 1 + B replicates (row 0 is the data), X sizes of a grid inside the overlap.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from hf_ctxscale.analysis.laws.law_fit import LawFit

NUM_GRID_SIZES = 513  # a law of size bends little between two of them, even over five factors of ten
ENOUGH = 0.975  # of the replicates: a 95 % interval leaves 2.5 % out at each end

X_WORDS: Mapping[str, str] = {
    "body_params": "body parameters",
    "total_params": "parameters in total",
    "train_flops": "training FLOPs",
    "train_seconds": "training seconds",
}

CrossoverVerdict = Literal["crosses once", "first is better throughout", "second is better throughout", "undecided", "no overlap"]


@dataclass(frozen=True)
class Crossover:
    """Which of two laws is lower, and where that changes."""

    x: str  # a key of X_WORDS
    first_label: str
    second_label: str
    overlap: tuple[float, float] | None  # of both measured ranges
    share_crossing_once: float | None  # of the replicates: exactly once inside, in the commoner direction
    x_cross: float | None
    low: float | None
    high: float | None
    direction: str | None
    verdict: CrossoverVerdict
    sentence: str

    def entry(self) -> dict[str, Any]:
        """What results/fits.json holds of it, besides the two series."""
        return asdict(self) | {"overlap": list(self.overlap) if self.overlap else None}


def find_crossover(
    first: LawFit,
    second: LawFit,
    *,
    overlap: tuple[float, float] | None,
    first_label: str,
    second_label: str,
    x: str,
    x_words: str | None = None,
) -> Crossover:
    """Compares the two laws of every replicate inside the overlap, and never outside of it.

    An interval stands only where at least 97.5 % of the replicates cross exactly once there, in one direction; where as many have one law
    below the other throughout, that is the result.

    Args:
        first: a law of size; its replicates are those of ``second``.
        second: the other law.
        overlap: smallest and largest size at which both were measured; None where their ranges do not meet.
        first_label: of the first, for the sentence: ``the 2-layer LSTM``.
        second_label: of the second.
        x: what size is, a key of X_WORDS.
        x_words: what the sentence calls it; None: as X_WORDS has it.
    """
    words = x_words or X_WORDS[x]

    def found(verdict: CrossoverVerdict, sentence: str, **values: Any) -> Crossover:
        nothing: dict[str, Any] = dict.fromkeys(("share_crossing_once", "x_cross", "low", "high", "direction"))
        return Crossover(x, first_label, second_label, overlap, verdict=verdict, sentence=sentence, **nothing | values)

    both = f"{first_label} and {second_label}"
    if overlap is None or not overlap[0] < overlap[1]:
        overlap = None
        return found("no overlap", f"The measured ranges of {both} share no range of {words}; nothing is said beyond them.")
    within = f"between {_size(overlap[0])} and {_size(overlap[1])} {words}"
    for fit, label in ((first, first_label), (second, second_label)):
        if not len(fit.values_RK):
            return found("undecided", f"{_capital(both)} cannot be compared {within}: {label}: {fit.reason}.")
    # A law without replicates beside one with them would pass for known without error.
    if min(len(first.values_RK), len(second.values_RK)) < 2:
        return found("undecided", f"{_capital(both)} are not compared {within}: without replicates there is no interval.")
    grid_X = np.geomspace(*overlap, NUM_GRID_SIZES)
    difference_RX = first.predict(grid_X) - second.predict(grid_X)
    falls_R, roots_R = _single_crossings(difference_RX, grid_X)
    replicates = slice(1, None)
    falling, rising = (float(np.mean(falls_R[replicates] == sign)) for sign in (1, -1))
    sign, share = (1, falling) if falling >= rising else (-1, rising)
    lower, upper = (first_label, second_label) if sign > 0 else (second_label, first_label)
    direction = "first below second above it" if sign > 0 else "second below first above it"
    if share >= ENOUGH and falls_R[0] == sign:
        low, high = np.nanquantile(
            np.where(falls_R == sign, roots_R, _edges(difference_RX, overlap, sign=sign))[replicates], [0.025, 0.975]
        )
        return found(
            "crosses once",
            f"{_capital(lower)} falls below {upper} at {_size(roots_R[0])} {words} (95 % interval {_size(low)} to {_size(high)}).",
            share_crossing_once=share,
            x_cross=float(roots_R[0]),
            low=float(low),
            high=float(high),
            direction=direction,
        )
    throughout: tuple[tuple[CrossoverVerdict, str, str, np.ndarray], ...] = (
        ("first is better throughout", first_label, second_label, difference_RX < 0),
        ("second is better throughout", second_label, first_label, difference_RX > 0),
    )
    for verdict, better, other, below_RX in throughout:
        share_below = np.mean(below_RX[replicates].all(axis=1))
        if below_RX[0].all() and share_below >= ENOUGH:
            return found(verdict, f"{_capital(better)} has a lower loss than {other} everywhere {within}.", share_crossing_once=share)
    needed = f"and {100 * ENOUGH:g} % are needed" if share < ENOUGH else "and the measured losses do not"
    return found(
        "undecided",
        f"Whether and where {both} cross {within} is not decided: {100 * share:.1f} % of the replicates cross exactly once"
        f"{f', {lower} falling below {upper}' if share else ' in one direction'}, {needed}.",
        share_crossing_once=share,
        direction=direction if share else None,
    )


def _single_crossings(difference_RX: np.ndarray, grid_X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of every replicate +1 where the difference falls through zero once, -1 where it rises once, else 0; and the place, NaN elsewhere."""
    below_RX = difference_RX < 0
    changes_RX = below_RX[:, 1:] != below_RX[:, :-1]
    once_R = (changes_RX.sum(axis=1) == 1) & np.isfinite(difference_RX).all(axis=1)
    at_R = changes_RX.argmax(axis=1)
    rows = np.arange(len(difference_RX))
    before_R, after_R = difference_RX[rows, at_R], difference_RX[rows, at_R + 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        part_R = before_R / (before_R - after_R)
    log_R = np.log(grid_X[at_R]) + part_R * np.log(grid_X[1] / grid_X[0])
    sign_R = np.where(below_RX[rows, at_R + 1], 1, -1)
    return np.where(once_R, sign_R, 0), np.exp(np.where(once_R, log_R, np.nan))


def _edges(difference_RX: np.ndarray, overlap: tuple[float, float], *, sign: int) -> np.ndarray:
    """Where the replicates without a crossing cross at the nearest: at the end of the overlap beyond which they may; NaN where neither."""
    before, after = overlap if sign > 0 else (overlap[1], overlap[0])
    return np.where((difference_RX < 0).all(axis=1), before, np.where((difference_RX > 0).all(axis=1), after, np.nan))


def _size(value: float) -> str:
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.0f}" if 100 <= rounded < 1e7 else f"{rounded:g}".replace("e+0", "e").replace("e+", "e")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
