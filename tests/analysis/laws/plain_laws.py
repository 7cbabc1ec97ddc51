"""Slow and obvious: a law fitted by scipy's least squares on all parameters at once, from many starts, one data set at a time."""

from collections.abc import Callable, Sequence
from itertools import product

import numpy as np
from scipy.optimize import least_squares


def plain_fit(
    model: Callable[[np.ndarray], np.ndarray], loss_P: np.ndarray, *, starts: Sequence[Sequence[float]], weights_P: np.ndarray | None = None
) -> np.ndarray:
    """Parameters that minimise weighted squared relative residuals; parameters are searched as logs, so they stay above 0."""
    root_P = np.ones(len(loss_P)) if weights_P is None else np.sqrt(weights_P)

    def residuals(logs: np.ndarray) -> np.ndarray:
        return root_P * (model(np.exp(logs)) / loss_P - 1)

    # Steps from a bad start may leave what a float holds; they are then taken back.
    with np.errstate(all="ignore"):
        found = [
            least_squares(residuals, np.log(start), xtol=1e-15, ftol=1e-15, gtol=1e-15, x_scale="jac", max_nfev=2000)
            for start in product(*starts)
        ]
    return np.exp(min(found, key=lambda one: one.cost).x)


def noisy(loss_P: np.ndarray, *, share: float, num_replicates: int = 200, seed: int = 0) -> np.ndarray:
    """Data with relative noise, then replicates of them with as much again, (R, P)."""
    rng = np.random.default_rng(seed)
    data_P = loss_P * (1 + share * rng.standard_normal(len(loss_P)))
    return np.concatenate([data_P[None], data_P * (1 + share * rng.standard_normal((num_replicates, len(loss_P))))])
