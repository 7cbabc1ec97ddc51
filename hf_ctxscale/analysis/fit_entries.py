"""What results/fits.json holds of a law: parameters, convergence, profiles, and the curve with its band over the measured range.

Letters: R replicates, P points, X places of a curve.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from hf_ctxscale.analysis.laws.law_fit import LawFit

Entry = dict[str, Any]

CURVE_POINTS = 40
CONFIDENCE = 0.95  # of every interval in fits.json that does not name its own
SIGNIFICANT = 6  # digits of a profile and a curve, which are drawn and not read


def law_entry(fit: LawFit) -> Entry:
    """The part that all laws share."""
    return {
        "form": fit.form,
        "params": {name: asdict(param) for name, param in fit.params.items()},
        "converged": fit.converged,
        "reason": fit.reason,
        "convergence": asdict(fit.convergence) if fit.convergence else None,
        "log_huber": fit.log_huber,
        "profiles": [
            {"parameter": profile.parameter, "at": [_short(at) for at in profile.at_K], "rise": [_short(rise) for rise in profile.rise_K]}
            for profile in fit.profiles
        ],
    }


def point_entries(points: Sequence[Entry], *, fit: LawFit) -> list[Entry]:
    """The points with what the law says of each."""
    return [
        {**point, "predicted": number(predicted), "residual": number(residual)}
        for point, predicted, residual in zip(points, fit.predicted_P, fit.residual_P, strict=True)
    ]


def curve_entries(fit: LawFit, x_P: np.ndarray, *, predict: Callable[..., np.ndarray] | None = None) -> list[Entry]:
    """The law and its band at places spread evenly in logs over the measured range; none where nothing was fitted.

    Args:
        x_P: the measured places.
        predict: from places to losses of every replicate, (R, X); None: the law's own.
    """
    if not _fitted(fit):
        return []
    x_X = np.geomspace(x_P.min(), x_P.max(), CURVE_POINTS) if x_P.min() < x_P.max() else x_P[:1]
    loss_RX = (predict or fit.predict)(x_X)
    tails = (1 - CONFIDENCE) / 2
    limits = np.full((2, len(x_X)), math.nan)
    if len(loss_RX) > 1:
        limits = np.quantile(loss_RX[1:], [tails, 1 - tails], axis=0)
    return [
        {"x": _short(x), "loss_nats": _short(loss), "low": _short(low), "high": _short(high)}
        for x, loss, low, high in zip(x_X, loss_RX[0], *limits, strict=True)
    ]


def data_curves(fit: LawFit, n_P: np.ndarray, d_P: np.ndarray) -> list[Entry]:
    """For every size the law over the tokens that its runs were trained on."""
    if not _fitted(fit):
        return []
    return [
        {"n": number(n), "curve": curve_entries(fit, d_P[n_P == n], predict=lambda d_X, n=n: fit.predict(np.full(len(d_X), n), d_X))}
        for n in np.unique(n_P)
    ]


def number(value: float | None) -> float | None:
    """A float for JSON: None where there is none, or none that is finite."""
    return None if value is None or not math.isfinite(value) else float(value)


def _short(value: float) -> float | None:
    return float(f"{value:.{SIGNIFICANT}g}") if math.isfinite(value) else None


def _fitted(fit: LawFit) -> bool:
    return bool(np.isfinite(fit.predicted_P).all()) and len(fit.predicted_P) > 0
