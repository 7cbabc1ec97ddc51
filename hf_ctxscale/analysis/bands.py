"""Band: limits of many statistics that hold all at once, from their delete-one-document replicates.

Letters: D documents, R = 1 + D replicates, W statistics, N simulated draws.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy

from hf_ctxscale.analysis.estimates import degrees_of_freedom, standard_errors

Sides = Literal["both", "lower", "upper"]

# With so many draws the confidence that a critical value stands for is known to 0.15 points (standard error) at 95 %, 0.07 at 99 %.
NUM_DRAWS = 20_000
DRAWS_AT_ONCE = 2_000  # of 1,024 statistics take 16 MB
SEED = 0  # the same data give the same limits

# Relative to the largest statistic: below it, replicates differ by rounding alone.
ROUNDING = 1e-12


@dataclass(frozen=True)
class Band:
    """Values with limits that hold for all of them at once with the given confidence.

    ``low_W`` is minus infinity where only upper limits were asked for, ``high_W`` infinity where only lower ones. Limits and ``std_error_W``
    are NaN where none are possible; ``reason`` then says why.
    """

    value_W: np.ndarray
    low_W: np.ndarray
    high_W: np.ndarray
    std_error_W: np.ndarray
    confidence: float
    num_documents: int
    reason: str | None = None


def simultaneous_band(
    values_RW: np.ndarray, *, confidence: float = 0.95, sides: Sides = "both", weights_D: np.ndarray | None = None
) -> Band:
    """Value ± c · standard error, with one c for all statistics such that all limits hold at once (max-t).

    A statistic that no document moves, such as the excess of the full context over itself, keeps its value as both limits and costs
    nothing. One that is not finite, or rests on one document alone, has NaN limits and costs nothing either.

    Args:
        values_RW: the statistics on all documents, then without each one of them, (1 + D, W).
        confidence: that all limits hold.
        sides: limits on both sides, or only lower or only upper ones.
        weights_D: what each document weighs, such as its number of tokens, (D,); None: all the same.

    Source:
        Single-step max-t: Hothorn, Bretz & Westfall 2008, "Simultaneous inference in general parametric models", section 3.
    """
    assert 0 < confidence < 1, confidence
    values_RW = np.asarray(values_RW, dtype=np.float64)
    assert values_RW.ndim == 2, values_RW.shape
    value_W, num_documents = values_RW[0].copy(), len(values_RW) - 1
    nothing_W = np.full(len(value_W), np.nan)
    if num_documents < 2:
        word = "one document" if num_documents == 1 else "no document"
        return Band(value_W, nothing_W, nothing_W, nothing_W, confidence, num_documents, f"{word}: no interval is possible")

    known_W = np.isfinite(values_RW).all(axis=0)
    std_error_W = nothing_W.copy()
    std_error_W[known_W] = standard_errors(values_RW[:, known_W])
    std_error_W[std_error_W <= ROUNDING * np.abs(value_W[known_W]).max(initial=0.0)] = 0.0
    varies_W = std_error_W > 0
    critical = 0.0
    if varies_W.any():
        freedom = degrees_of_freedom(num_documents, weights_D=weights_D)
        critical = _critical_value(_correlation(values_RW[1:, varies_W]), freedom=freedom, confidence=confidence, sides=sides)
    half_W = critical * std_error_W
    low_W, high_W = value_W - half_W, value_W + half_W
    if sides == "upper":
        low_W = np.where(known_W, -np.inf, np.nan)
    if sides == "lower":
        high_W = np.where(known_W, np.inf, np.nan)
    reason = None if known_W.all() else "some values rest on one document or none"
    return Band(value_W, low_W, high_W, std_error_W, confidence, num_documents, reason)


def _correlation(replicates_DW: np.ndarray) -> np.ndarray:
    centred_DW = replicates_DW - replicates_DW.mean(axis=0)
    centred_DW /= np.sqrt(np.square(centred_DW).sum(axis=0))
    return centred_DW.T @ centred_DW


def _critical_value(correlation_WW: np.ndarray, *, freedom: float, confidence: float, sides: Sides) -> float:
    """Quantile of the largest of W correlated t statistics.

    Every statistic has a variance of its own, estimated from the same documents: chi-squared, correlated as squares of normals are
    (correlation squared). One common chi-squared variable, as in the multivariate t, gives too small a value where statistics are little
    correlated: 30 independent ones of 20 documents of unequal weight were all covered in 87.5 % instead of 92.5 % of 1,500 simulations.
    """
    rng = np.random.default_rng(SEED)
    value_factor, variance_factor = _factor(correlation_WW), _factor(np.square(correlation_WW))
    # Standard deviations by hundredths of the normal variable behind them: asking scipy for each would take a hundred times as long.
    sd_table = np.sqrt(scipy.stats.chi2.ppf(scipy.stats.norm.cdf(np.arange(-600, 601) / 100), freedom) / freedom).astype(np.float32)
    largest = []
    for _ in range(NUM_DRAWS // DRAWS_AT_ONCE):
        value_NW = rng.standard_normal((DRAWS_AT_ONCE, len(value_factor)), dtype=np.float32) @ value_factor
        normal_NW = rng.standard_normal((DRAWS_AT_ONCE, len(variance_factor)), dtype=np.float32) @ variance_factor
        t_NW = value_NW / sd_table[np.rint(100 * normal_NW + 600).astype(np.int32).clip(0, 1200)]
        # The t distribution is symmetric: lower and upper limits share one critical value.
        largest.append((np.abs(t_NW) if sides == "both" else t_NW).max(axis=1))
    return float(np.quantile(np.concatenate(largest), confidence))


def _factor(correlation_WW: np.ndarray) -> np.ndarray:
    """(K, W) factor F with F'F = correlation, float32; K is its rank, which is below W where there are fewer documents than statistics."""
    eigenvalues, vectors = np.linalg.eigh(correlation_WW)
    kept = eigenvalues > 1e-10 * eigenvalues[-1]
    return (np.sqrt(eigenvalues[kept])[:, None] * vectors[:, kept].T).astype(np.float32)
