"""LawFit: what the fit of a law gives, whatever its form: parameters with intervals, residuals, convergence, profiles, predictions.

Letters: R = 1 + B replicates (row 0 is the data), P points, K exponents of a profile, X other places to predict at.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Parameter:
    """A number with its interval. Without a value it is not identifiable, without limits it has no interval; ``reason`` then says why."""

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Profile:
    """How much worse the best fit gets when one exponent is held at other values: what shows whether the data pin it down."""

    parameter: str
    at_K: np.ndarray
    rise_K: np.ndarray  # the objective there over its minimum, minus 1


@dataclass(frozen=True)
class Convergence:
    """How sure it is that the minimum is the minimum."""

    objective: float  # weighted sum of squared relative residuals
    gradient: float  # largest cosine between the residuals and what a parameter can change; 0 where a bound forbids the change
    num_starts: int
    starts_agreeing: int  # ended at the same objective (1e-6, relative) and the same exponents (1e-3, relative)


@dataclass(frozen=True)
class LawFit:
    """A law fitted to the data and to every replicate of them."""

    form: str
    params: dict[str, Parameter]
    values_RK: np.ndarray  # every replicate's parameters, in the order of params, identifiable or not; no rows where nothing was fitted
    predicted_P: np.ndarray  # nats; NaN where nothing was fitted
    residual_P: np.ndarray  # nats, measured minus predicted
    converged: bool
    reason: str | None  # why nothing was fitted, or what is wrong
    convergence: Convergence | None
    log_huber: dict[str, float] | None  # the same parameters by Hoffmann et al.'s estimator, started from the least-squares solution
    profiles: tuple[Profile, ...]
    curve: Callable[..., np.ndarray] = field(repr=False, compare=False)  # from places, (X,), to losses, (R, X)

    def predict(self, *x: np.ndarray) -> np.ndarray:
        """Loss in nats of every replicate at other places: at sizes, at sizes and data, or at positions.

        Returns:
            (R, X); one row of NaN where nothing was fitted.
        """
        return self.curve(*(np.atleast_1d(np.asarray(values, dtype=np.float64)) for values in x))


def nothing_fitted(form: str, names: Sequence[str], *, reason: str, num_points: int) -> LawFit:
    """A fit without parameters, and why."""
    nothing_P = np.full(num_points, math.nan)
    params = {name: Parameter(None, reason=reason) for name in names}
    return LawFit(
        form,
        params,
        np.zeros((0, len(params))),
        nothing_P,
        nothing_P,
        False,
        reason,
        None,
        None,
        (),
        lambda *x: np.full((1, len(x[0])), math.nan),
    )
