"""Power laws: loss against size, (N_c/N)^alpha, and loss against context position, L_inf + A·t^-alpha, refitted without each document.

Letters: P points, W windows (bins) of positions, R = 1 + D replicates, of which row 0 holds all documents and row d all but document d.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from scipy.optimize import minimize_scalar

from hf_ctxscale.analysis.estimates import Estimate, jackknife, no_estimate
from hf_ctxscale.analysis.positions import PositionLosses, Window, log_bins, window_means

EXPONENT_GRID = np.geomspace(0.02, 4.0, 65)
MIN_BINS = 5  # three parameters and something left to disagree with them


@dataclass(frozen=True)
class SizePowerLaw:
    """Loss = (N_c / N)^alpha; a parameter is nothing where it is not identifiable, and ``reason`` says why."""

    alpha: Estimate | None
    n_c: Estimate | None  # interval symmetric in log N_c
    predicted_nats: np.ndarray  # (P,); NaN where nothing could be fitted
    residual_nats: np.ndarray  # (P,) measured minus predicted
    converged: bool
    reason: str | None
    coefficients: tuple[float, float]  # alpha and alpha·ln N_c

    def predict(self, body_params: np.ndarray) -> np.ndarray:
        """Loss in nats at other sizes."""
        alpha, constant = self.coefficients
        return np.exp(constant - alpha * np.log(body_params))


def fit_size_power_law(
    body_params_P: np.ndarray, loss_RP: np.ndarray, *, confidence: float = 0.95, weights_D: np.ndarray | None = None
) -> SizePowerLaw:
    """Fits the paper's L(N) = (N_c/N)^alpha by least squares in logs; every point weighs the same.

    Args:
        body_params_P: sizes, (P,); several runs may share one.
        loss_RP: losses in nats on all documents and without each one, (1 + D, P): a replicate leaves one document out of every model.
        confidence: of the two-sided intervals.
        weights_D: what each document weighs, such as its number of tokens, (D,); None: all the same.

    Source:
        Kaplan et al. 2020, section 3.2. No irreducible loss: the paper's form has none.
    """
    log_n_P = np.log(np.asarray(body_params_P, dtype=np.float64))
    num_sizes = len(np.unique(log_n_P))
    nothing_P = np.full(len(log_n_P), math.nan)
    if num_sizes < 2:
        reason = f"a power law needs two sizes or more; this series has {num_sizes}"
        return SizePowerLaw(None, None, nothing_P, nothing_P, False, reason, (math.nan, math.nan))
    if not (loss_RP[0] > 0).all():
        reason = "a loss is missing or not above zero, and its logarithm is needed"
        return SizePowerLaw(None, None, nothing_P, nothing_P, False, reason, (math.nan, math.nan))

    log_loss_RP = np.log(loss_RP)
    centred_P = log_n_P - log_n_P.mean()
    alpha_R = -(log_loss_RP @ centred_P) / (centred_P @ centred_P)
    constant_R = log_loss_RP.mean(axis=1) + alpha_R * log_n_P.mean()
    alpha = jackknife(alpha_R, confidence=confidence, weights_D=weights_D)
    n_c = _scale_of_size(alpha_R, constant_R, alpha=alpha, weights_D=weights_D)
    predicted_P = np.exp(constant_R[0] - alpha_R[0] * log_n_P)
    no_scale = f"N_c is not identifiable: the loss does not fall with size, or too slowly (alpha = {alpha.value:.3g})"
    why = alpha.reason or (n_c.reason if n_c else no_scale)
    coefficients = (float(alpha_R[0]), float(constant_R[0]))
    return SizePowerLaw(alpha, n_c, predicted_P, loss_RP[0] - predicted_P, True, why, coefficients)


def _scale_of_size(alpha_R: np.ndarray, constant_R: np.ndarray, *, alpha: Estimate, weights_D: np.ndarray | None) -> Estimate | None:
    """N_c, with an interval in log N_c; nothing where alpha is not above zero or N_c is beyond what a float holds."""
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        log_n_c_R = constant_R / alpha_R
        value = float(np.exp(log_n_c_R[0]))
    if alpha_R[0] <= 0 or not math.isfinite(value):
        return None
    if alpha.has_interval and (alpha.low <= 0 or (alpha_R <= 0).any()):
        reason = "N_c has no interval: that of alpha reaches 0, where N_c has no bound"
        return no_estimate(reason, value=value, confidence=alpha.confidence, num_documents=alpha.num_documents)
    in_logs = jackknife(log_n_c_R, confidence=alpha.confidence, weights_D=weights_D)
    if not in_logs.has_interval:
        return replace(in_logs, value=value)
    if max(abs(in_logs.low), abs(in_logs.high)) > 700:
        reason = "N_c has no interval: its limits are beyond what a float holds"
        return no_estimate(reason, value=value, confidence=alpha.confidence, num_documents=alpha.num_documents)
    return replace(in_logs, value=value, low=math.exp(in_logs.low), high=math.exp(in_logs.high), std_error=value * in_logs.std_error)


@dataclass(frozen=True)
class PositionPowerLaw:
    """Loss at position t = L_inf + A·t^-alpha; the parameters are nothing where they are not identifiable, and ``reason`` says why."""

    l_inf: Estimate | None
    a: Estimate | None
    alpha: Estimate | None
    bins: tuple[Window, ...]
    residual_nats: np.ndarray  # (W,) measured minus predicted; empty where not identifiable
    converged: bool
    reason: str | None

    def predict(self, position: np.ndarray) -> np.ndarray:
        """Loss in nats at context positions; NaN where the parameters are not identifiable."""
        if self.l_inf is None or self.a is None or self.alpha is None:
            return np.full(np.shape(position), math.nan)
        return self.l_inf.value + self.a.value * np.asarray(position, dtype=np.float64) ** -self.alpha.value


def fit_position_power_law(losses: PositionLosses, *, bins: tuple[Window, ...] | None = None, confidence: float = 0.95) -> PositionPowerLaw:
    """Fits L_inf + A·t^-alpha to the means over log bins by least squares; every bin weighs the same, so every octave counts alike.

    Variable projection: for each exponent of a grid, L_inf and A (both at least 0) have a closed form; the best exponent is then polished
    between its neighbours. The whole fit is repeated without each document.

    Args:
        losses: one model's sums.
        bins: windows of positions; `log_bins` where none are given.
        confidence: of the two-sided intervals.

    Source:
        The form of Kaplan et al. 2020, appendix D.5 and figure 20.
    """
    bins = bins or log_bins(losses.context_tokens)
    counted_D = losses.num_tokens.any(axis=1)
    losses = losses.rows(np.flatnonzero(counted_D))
    means_RW = window_means(losses, bins)
    if len(bins) < MIN_BINS:
        few = f"three parameters need {MIN_BINS} bins of positions or more; a context of {bins[-1][1]} tokens has {len(bins)}"
        return _not_identifiable(bins, few)
    if not np.isfinite(means_RW[0]).all():
        return _not_identifiable(bins, "some bins of positions hold no token")
    replicates_RW = means_RW if len(means_RW) > 2 and np.isfinite(means_RW).all() else means_RW[:1]

    basis = _power_basis(losses.num_tokens.sum(axis=0), bins)
    fits = [_fit_curve(row, k, basis=basis) for row, k in zip(replicates_RW, _best_on_grid(replicates_RW, basis=basis), strict=True)]
    obstacle = fits[0].obstacle
    if obstacle:
        return _not_identifiable(bins, obstacle)
    converged = all(fit.converged for fit in fits)
    runaway = next((d for d, fit in enumerate(fits[1:]) if fit.obstacle), None)
    if runaway is not None:
        reason = f"the intervals have no bound: without {losses.documents[runaway]!r}, {fits[1 + runaway].obstacle}"
        return _not_identifiable(bins, reason, converged=converged)

    params_RK = np.array([(fit.l_inf, fit.a, fit.alpha) for fit in fits])
    if len(fits) == 1:
        # One document, or a bin that rests on one: the values stand, without intervals.
        params_RK = np.concatenate([params_RK, np.full((len(losses.documents), 3), math.nan)])
    weights_D = losses.num_tokens.sum(axis=1)
    l_inf, a, alpha = (jackknife(values_R, confidence=confidence, weights_D=weights_D) for values_R in params_RK.T)
    for name, param in (("alpha", alpha), ("A", a), ("L_inf", l_inf)):
        if param.low <= 0:
            reason = f"the interval of {name}, {param.low:.3g} to {param.high:.3g}, reaches its bound 0"
            return _not_identifiable(bins, reason, converged=converged)
    residual_W = means_RW[0] - l_inf.value - a.value * basis(alpha.value)
    return PositionPowerLaw(l_inf, a, alpha, bins, residual_W, converged, alpha.reason)


def _not_identifiable(bins: tuple[Window, ...], reason: str, *, converged: bool = False) -> PositionPowerLaw:
    return PositionPowerLaw(None, None, None, bins, np.zeros(0), converged, f"not identifiable: {reason}")


@dataclass(frozen=True)
class _CurveFit:
    l_inf: float
    a: float
    alpha: float
    converged: bool
    obstacle: str | None  # why these parameters mean nothing


def _power_basis(num_tokens_T: np.ndarray, bins: tuple[Window, ...]) -> Callable[[float], np.ndarray]:
    """Exponent -> mean of t^-alpha over the tokens of each bin, (W,): the model's exact mean, not its value at a midpoint."""
    assert all(last + 1 == first for (_, last), (first, _) in pairwise(bins)), bins
    start, end = bins[0][0], bins[-1][1]
    log_t = np.log(np.arange(start, end + 1))
    weight = num_tokens_T[start - 1 : end].astype(np.float64)
    starts = np.array([first - start for first, _ in bins])
    weight /= np.repeat(np.add.reduceat(weight, starts), [last - first + 1 for first, last in bins])
    return lambda alpha: np.add.reduceat(weight * np.exp(-alpha * log_t), starts)


def _solve(loss_RW: np.ndarray, basis_W: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Least squares of loss on 1 and the basis with both coefficients at least 0: L_inf, A and the squared error, each (R,)."""
    centred_W = basis_W - basis_W.mean()
    mean_R = loss_RW.mean(axis=1)
    a_R = loss_RW @ centred_W / (centred_W @ centred_W)
    l_inf_R = mean_R - a_R * basis_W.mean()
    inside_R = (a_R >= 0) & (l_inf_R >= 0)
    steep_R = loss_RW @ basis_W / (basis_W @ basis_W)

    def error(l_inf: np.ndarray, a: np.ndarray) -> np.ndarray:
        return np.square(loss_RW - l_inf[:, None] - a[:, None] * basis_W).sum(axis=1)

    # Outside, the optimum lies on one of the two bounds: no power at all, or no asymptote.
    zero_R = np.zeros_like(mean_R)
    flat_R = error(mean_R, zero_R) <= error(zero_R, steep_R)
    l_inf_R = np.where(inside_R, l_inf_R, np.where(flat_R, mean_R, 0.0))
    a_R = np.where(inside_R, a_R, np.where(flat_R, 0.0, steep_R))
    return l_inf_R, a_R, error(l_inf_R, a_R)


def _best_on_grid(loss_RW: np.ndarray, *, basis: Callable[[float], np.ndarray]) -> np.ndarray:
    """Index of the best exponent of the grid for every replicate, (R,): as many starts as the grid has points."""
    errors_KR = np.array([_solve(loss_RW, basis(float(alpha)))[2] for alpha in EXPONENT_GRID])
    return errors_KR.argmin(axis=0)


def _fit_curve(loss_W: np.ndarray, k: int, *, basis: Callable[[float], np.ndarray]) -> _CurveFit:
    """Polishes one replicate between the neighbours of its best grid point."""
    loss_RW = loss_W[None]
    low, high = EXPONENT_GRID[max(k - 1, 0)], EXPONENT_GRID[min(k + 1, len(EXPONENT_GRID) - 1)]
    best = minimize_scalar(
        lambda alpha: _solve(loss_RW, basis(alpha))[2][0], bounds=(low, high), method="bounded", options={"xatol": 1e-8, "maxiter": 200}
    )
    alpha = float(best.x)
    l_inf, a, _ = (float(value[0]) for value in _solve(loss_RW, basis(alpha)))
    obstacle = None
    if a == 0:
        obstacle = "the loss does not fall along the context (A is 0)"
    elif l_inf == 0:
        obstacle = "the curve does not show where it levels off (L_inf is 0)"
    elif k in (0, len(EXPONENT_GRID) - 1):
        obstacle = f"the exponent runs to the edge of its grid, {EXPONENT_GRID[0]:.3g} to {EXPONENT_GRID[-1]:.3g}"
    return _CurveFit(l_inf, a, alpha, bool(best.success), obstacle)
