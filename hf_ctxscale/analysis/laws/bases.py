"""Bases of separable laws: how x^-gamma looks at every point of a fit, for many exponents at once, with its derivative.

Letters: M exponents, P points, W windows (bins) of positions, I intervals of exponents.
"""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
import scipy

# From exponents, (M,), to values and derivatives by the exponent, both (M, P).
Basis = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]

TAYLOR_DEGREE = 11
TAYLOR_REACH = 0.35  # largest (exponent - node)·ln t: 0.35^12/12! is far below rounding


def power_basis(x_P: np.ndarray) -> tuple[Basis, float]:
    """(x/middle)^-gamma, and ln middle: the geometric mean of x, so that its unit does not matter."""
    log_x_P = np.log(np.asarray(x_P, dtype=np.float64))
    middle = float(log_x_P.mean())
    centred_P = log_x_P - middle

    def basis(gamma_M: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values_MP = np.exp(-gamma_M[:, None] * centred_P)
        return values_MP, -centred_P * values_MP

    return basis, middle


def bin_basis(bins: Sequence[tuple[int, int]], *, num_tokens_T: np.ndarray | None, max_exponent: float) -> Basis:
    """Mean of t^-gamma over the tokens of each bin: the law's exact mean, not its value at a midpoint.

    Args:
        bins: windows of positions that follow on each other, both ends included.
        num_tokens_T: how many tokens each position has; None: all the same.
        max_exponent: the largest exponent that will be asked for.
    """
    counts = None if num_tokens_T is None else np.asarray(num_tokens_T, dtype=np.float64).tobytes()
    values = _mean_powers(tuple((int(first), int(last)) for first, last in bins), counts, max_exponent)
    slopes = values.derivative()
    return lambda gamma_M: (values(gamma_M), slopes(gamma_M))


@lru_cache(maxsize=8)
def _mean_powers(bins: tuple[tuple[int, int], ...], counts: bytes | None, max_exponent: float) -> "scipy.interpolate.PPoly":
    """Exponent -> mean of t^-exponent in each bin, by Taylor's series about nodes; models scored on the same windows share it."""
    assert all(last + 1 == first for (_, last), (first, _) in pairwise(bins)), bins
    start, end = bins[0][0], bins[-1][1]
    log_t = np.log(np.arange(start, end + 1))
    weight = np.ones(len(log_t)) if counts is None else np.frombuffer(counts)[start - 1 : end].copy()
    starts = np.array([first - start for first, _ in bins])
    totals_W = np.add.reduceat(weight, starts)
    assert (totals_W > 0).all(), "a bin holds no token"
    weight /= np.repeat(totals_W, [last - first + 1 for first, last in bins])
    num_intervals = math.ceil(max_exponent * math.log(end) / TAYLOR_REACH)
    nodes_I = np.linspace(0, max_exponent, num_intervals + 1)
    term_IT = weight * np.exp(-nodes_I[:-1, None] * log_t)
    coefficients = []
    for degree in range(TAYLOR_DEGREE + 1):
        coefficients.append(np.add.reduceat(term_IT, starts, axis=1))
        term_IT = term_IT * (-log_t / (degree + 1))
    return scipy.interpolate.PPoly(np.array(coefficients[::-1]), nodes_I)
