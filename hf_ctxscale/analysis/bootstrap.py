"""Resamples of documents, the same for every model, and percentile intervals: for statistics that are not smooth, where a jackknife is wrong."""

import math

import numpy as np
import scipy

NUM_RESAMPLES = 2_000


def shared_resamples(num_documents: int, *, num_resamples: int = NUM_RESAMPLES, seed: int = 0) -> np.ndarray:
    """How often each document is drawn when as many documents are drawn with replacement, (num_resamples, D) int64.

    One table serves every model that was scored on these documents: a document is then in or out for all of them.
    """
    assert num_documents >= 1, num_documents
    assert num_resamples >= 1, num_resamples
    rng = np.random.default_rng(seed)
    return rng.multinomial(num_documents, np.full(num_documents, 1 / num_documents), size=num_resamples)


def percentile_interval(values_N: np.ndarray, *, confidence: float = 0.95, degrees_of_freedom: float) -> tuple[float, float]:
    """The expanded percentile interval: percentiles of the resampled values, taken further out where there are few documents.

    Plain percentiles are too narrow twice over: they stand for a normal quantile instead of a t quantile, and resamples of D documents
    vary by (D-1)/D of the variance.

    Args:
        values_N: the statistic in every resample, infinities included; no NaN.
        confidence: of the two-sided interval.
        degrees_of_freedom: of the variance between documents (estimates.degrees_of_freedom).

    Source:
        Hesterberg 2015, "What teachers should know about the bootstrap", section 5.3.
    """
    assert 0 < confidence < 1, confidence
    assert degrees_of_freedom > 0, degrees_of_freedom
    assert not np.isnan(values_N).any()
    stretch = math.sqrt((degrees_of_freedom + 1) / degrees_of_freedom)
    below = float(scipy.stats.norm.cdf(scipy.stats.t.ppf((1 - confidence) / 2, degrees_of_freedom) * stretch))
    # Values that occurred, not values between two of them: there is nothing halfway to infinity.
    low = np.quantile(values_N, below, method="lower")
    return float(low), float(np.quantile(values_N, 1 - below, method="higher"))
