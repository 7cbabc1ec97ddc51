"""Estimate: a number with its delete-one-document interval, from the replicates that leave one document out."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import special


@dataclass(frozen=True)
class Estimate:
    """A measured value with an interval over the choice of documents.

    ``value`` is NaN where nothing could be measured; ``low``, ``high`` and ``std_error`` are NaN where no interval is possible;
    ``reason`` then says why.
    """

    value: float
    low: float
    high: float
    std_error: float
    confidence: float
    num_documents: int
    reason: str | None = None

    @property
    def has_interval(self) -> bool:
        """Whether both limits are known."""
        return math.isfinite(self.low) and math.isfinite(self.high)


def no_estimate(reason: str, *, value: float = math.nan, confidence: float, num_documents: int) -> Estimate:
    """An estimate without an interval, or without a value too, and why."""
    return Estimate(value, math.nan, math.nan, math.nan, confidence, num_documents, reason)


def leave_one_out(sums_DW: np.ndarray) -> np.ndarray:
    """Sums over documents: row 0 over all of them, row d over all but document d.

    Args:
        sums_DW: one row per document, (D, W).

    Returns:
        (1 + D, W)
    """
    total_W = sums_DW.sum(axis=0, keepdims=True)
    return np.concatenate([total_W, total_W - sums_DW])


def effective_number(weights_D: np.ndarray) -> float:
    """How many documents of equal weight would average as well: (sum of weights)² / (sum of squared weights), 1 to D.

    Source:
        Kish 1965, Survey Sampling, section 8.2.
    """
    weights_D = np.asarray(weights_D, dtype=np.float64)
    assert weights_D.ndim == 1, weights_D.shape
    assert (weights_D >= 0).all()
    assert weights_D.any(), "no document has any weight"
    shares_D = weights_D / weights_D.sum()
    return float(1 / np.square(shares_D).sum())


def degrees_of_freedom(num_documents: int, *, weights_D: np.ndarray | None = None) -> float:
    """Of a delete-one-document variance: D - 1, or less where some documents weigh more than others; never below 1.

    A variance that rests on a few long documents is as uncertain as if there were only those. Of 20 documents with lognormal lengths
    (sigma 1), 95 % intervals of the mean loss with D - 1 degrees of freedom covered 92.3 to 92.9 %, those with effective_number - 1
    93.8 to 94.4 % (docs/interval_coverage.md).
    """
    if weights_D is None:
        return float(num_documents - 1)
    assert len(weights_D) == num_documents, (len(weights_D), num_documents)
    return max(effective_number(weights_D) - 1, 1.0)


def jackknife(values_R: np.ndarray, *, confidence: float = 0.95, weights_D: np.ndarray | None = None) -> Estimate:
    """The delete-one-document jackknife with a t quantile.

    Every interval of a single number comes from here: a statistic of sums over documents, a difference of two models, a parameter of a fit.

    Args:
        values_R: the statistic on all documents, then without each one of them, (1 + D,).
        confidence: of the two-sided interval.
        weights_D: what each document weighs in the statistic, such as its number of tokens, (D,): decides the degrees of freedom, not the
            value. None: all weigh the same.

    Source:
        Efron & Tibshirani 1993, chapter 11. In simulations with 26 documents it covered 93.5 to 94.6 % where 95 % is claimed, the
        percentile bootstrap 91 to 92 %.
    """
    assert 0 < confidence < 1, confidence
    value, replicates_D = float(values_R[0]), values_R[1:]
    num_documents = len(replicates_D)
    if not math.isfinite(value):
        return no_estimate("no document has a token there", confidence=confidence, num_documents=num_documents)
    if num_documents < 2:
        return no_estimate("one document: no interval is possible", value=value, confidence=confidence, num_documents=num_documents)
    if not np.isfinite(replicates_D).all():
        return no_estimate("the value rests on one document alone", value=value, confidence=confidence, num_documents=num_documents)
    std_error = float(standard_errors(values_R[:, None])[0])
    # The t quantile; stats.t.ppf is ten times slower.
    half = float(special.stdtrit(degrees_of_freedom(num_documents, weights_D=weights_D), 0.5 + confidence / 2)) * std_error
    return Estimate(value, value - half, value + half, std_error, confidence, num_documents)


def standard_errors(values_RW: np.ndarray) -> np.ndarray:
    """Delete-one-document standard errors, (W,), of statistics on all documents and without each one, (1 + D, W); at least two documents."""
    num_documents = len(values_RW) - 1
    return np.sqrt((num_documents - 1) / num_documents * np.square(values_RW[1:] - values_RW[1:].mean(axis=0)).sum(axis=0))
