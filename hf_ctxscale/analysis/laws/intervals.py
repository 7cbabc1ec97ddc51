"""Percentile intervals over replicates, and which parameters have none because replicates run to a bound."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hf_ctxscale.analysis.laws.law_fit import Parameter

NO_REPLICATES = "no interval: there are no replicates of the data"
MAX_UNCONVERGED = 0.01


@dataclass(frozen=True)
class Bound:
    """A bound that replicates of a parameter may run to."""

    at_R: np.ndarray  # which replicates ended there
    words: str  # what that means, after "in 12 % of the replicates"


def percentile_limits(values_R: np.ndarray, *, confidence: float) -> tuple[float, float]:
    """Percentiles of the replicates, row 0 (the data) left out; values that occurred, so that infinite ones do no harm.

    Source:
        Efron & Tibshirani 1993, chapter 13.
    """
    assert 0 < confidence < 1, confidence
    assert len(values_R) > 1, "no replicates"
    tail = (1 - confidence) / 2
    low, high = np.quantile(values_R[1:], tail, method="lower"), np.quantile(values_R[1:], 1 - tail, method="higher")
    return float(low), float(high)


def parameters(values: Mapping[str, np.ndarray], *, obstacles: Mapping[str, str | None], confidence: float) -> dict[str, Parameter]:
    """Every parameter with its percentile interval, or the obstacle that makes it not identifiable.

    Args:
        values: of every replicate, (R,), by name.
        obstacles: why a parameter means nothing; None, or no entry: it does.
        confidence: of the two-sided intervals.
    """
    found = {}
    for name, values_R in values.items():
        obstacle = obstacles.get(name)
        if obstacle:
            found[name] = Parameter(None, reason=f"not identifiable: {obstacle}")
        elif not math.isfinite(values_R[0]):
            found[name] = Parameter(None, reason="not identifiable: its value is beyond what a float holds")
        elif len(values_R) == 1:
            found[name] = Parameter(float(values_R[0]), reason=NO_REPLICATES)
        else:
            low, high = percentile_limits(values_R, confidence=confidence)
            finite = math.isfinite(low) and math.isfinite(high)
            found[name] = (
                Parameter(float(values_R[0]), low, high)
                if finite
                else Parameter(float(values_R[0]), reason="no interval: its limits are beyond what a float holds")
            )
    return found


def bound_obstacle(bounds: Sequence[Bound], *, confidence: float) -> str | None:
    """Why an interval has no end: more replicates than lie beyond it, or the data themselves, run to a bound; None where they do not."""
    for bound in bounds:
        if bound.at_R[0]:
            return bound.words
        if len(bound.at_R) > 1 and (share := float(bound.at_R[1:].mean())) > (1 - confidence) / 2:
            return f"in {100 * share:.3g} % of the replicates {bound.words}"
    return None


def unconverged_obstacle(converged_R: np.ndarray) -> str | None:
    """Why intervals mean nothing: too many replicates whose fit did not converge."""
    share = float((~converged_R).mean())
    return f"{100 * share:.3g} % of the replicates did not converge" if share > MAX_UNCONVERGED else None
