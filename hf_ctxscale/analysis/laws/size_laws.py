"""Loss against size: the paper's (N_c/N)^alpha, and E + A·N^-alpha, which levels off.

Letters: R = 1 + B replicates (row 0 is the data), P points, K exponents of a profile.
"""

import math

import numpy as np
import scipy

from hf_ctxscale.analysis.laws.bases import power_basis
from hf_ctxscale.analysis.laws.identifiable import Term
from hf_ctxscale.analysis.laws.intervals import NO_REPLICATES, parameters
from hf_ctxscale.analysis.laws.law_fit import Convergence, LawFit, Profile, nothing_fitted
from hf_ctxscale.analysis.laws.log_huber import log_huber
from hf_ctxscale.analysis.laws.separable_fit import fit_separable
from hf_ctxscale.analysis.laws.separable_law import separable_law
from hf_ctxscale.analysis.laws.weighting import NEGLIGIBLE, checked_losses, relative_weights

PAPER_FORM = "(N_c/N)^alpha"
OFFSET_FORM = "E + A*N^-alpha"
MIN_OFFSET_SIZES = 4  # three parameters and something left to disagree with them
PROFILE_POINTS = 33


def fit_paper_law(n_P: np.ndarray, loss_RP: np.ndarray, *, variance_P: np.ndarray | None = None, confidence: float = 0.95) -> LawFit:
    """Fits (N_c/N)^alpha by weighted least squares in logs; no irreducible loss: the paper's form has none.

    Args:
        n_P: sizes, (P,); several runs may share one.
        loss_RP: losses in nats, (R, P).
        variance_P: known variances of the losses in nats², (P,); None: all points weigh the same.
        confidence: of the two-sided intervals.

    Source:
        Kaplan et al. 2020, section 3.2.
    """
    names = ("alpha", "n_c")
    log_n_P = np.log(np.asarray(n_P, dtype=np.float64))
    loss_RP = checked_losses(loss_RP, num_points=len(log_n_P))
    num_sizes = len(np.unique(log_n_P))
    if num_sizes < 2:
        reason = f"a power law needs two sizes or more; this series has {num_sizes}"
        return nothing_fitted(PAPER_FORM, names, reason=reason, num_points=len(log_n_P))

    weights_P = relative_weights(loss_RP[0], variance_P=variance_P)
    middle = np.average(log_n_P, weights=weights_P)
    centred_P = log_n_P - middle
    log_loss_RP = np.log(loss_RP)
    squares = weights_P @ np.square(centred_P)
    alpha_R = -(log_loss_RP @ (weights_P * centred_P)) / squares
    level_R = np.average(log_loss_RP, weights=weights_P, axis=1)

    def curve(n_X: np.ndarray) -> np.ndarray:
        return np.exp(level_R[:, None] - alpha_R[:, None] * (np.log(n_X) - middle))

    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        log_n_c_R = np.where(alpha_R > 0, level_R / alpha_R + middle, math.inf)
        n_c_R = np.exp(log_n_c_R)
    residual_P = log_loss_RP[0] - level_R[0] + alpha_R[0] * centred_P
    objective = float(weights_P @ np.square(residual_P))
    params = parameters({"alpha": alpha_R}, obstacles={}, confidence=confidence)
    half = _half_width(objective, squares=squares, num_points=len(log_n_P), confidence=confidence)
    low = params["alpha"].low if len(alpha_R) > 1 else alpha_R[0] - half
    obstacle = None
    if alpha_R[0] <= 0:
        obstacle = f"the loss does not fall with size (alpha = {alpha_R[0]:.3g})"
    elif low is not None and low <= 0:
        obstacle = f"the interval of alpha reaches 0 ({low:.3g}), where N_c has no bound"
    params |= parameters({"n_c": n_c_R}, obstacles={"n_c": obstacle}, confidence=confidence)

    predicted_P = curve(np.exp(log_n_P))[0]
    reasons = [param.reason for param in params.values() if param.reason and param.reason != NO_REPLICATES]
    design_PK = np.stack([-centred_P, np.ones(len(log_n_P))], axis=1)
    sensitive = log_huber(
        lambda params_K: (design_PK @ params_K, design_PK),
        np.array([alpha_R[0], level_R[0]]),
        loss_P=loss_RP[0],
        low_K=np.full(2, -math.inf),
        high_K=np.full(2, math.inf),
    )
    with np.errstate(over="ignore", divide="ignore"):
        log_huber_n_c = float(np.exp(sensitive[1] / sensitive[0] + middle)) if sensitive[0] > 0 else math.inf
    return LawFit(
        PAPER_FORM,
        params,
        np.stack([alpha_R, n_c_R], axis=1),
        predicted_P,
        loss_RP[0] - predicted_P,
        True,
        "; ".join(dict.fromkeys(reasons)) or None,
        Convergence(objective, 0.0, 1, 1),  # linear: one minimum, in closed form
        {"alpha": float(sensitive[0])} | ({"n_c": log_huber_n_c} if math.isfinite(log_huber_n_c) else {}),
        (_profile(float(alpha_R[0]), objective=objective, squares=squares, num_points=len(log_n_P)),),
        curve,
    )


def fit_offset_law(n_P: np.ndarray, loss_RP: np.ndarray, *, variance_P: np.ndarray | None = None, confidence: float = 0.95) -> LawFit:
    """Fits E + A·N^-alpha with E, A >= 0 by least squares on weighted relative residuals.

    Args:
        n_P: sizes, (P,); several runs may share one.
        loss_RP: losses in nats, (R, P).
        variance_P: known variances of the losses in nats², (P,); None: all relative residuals weigh the same.
        confidence: of the two-sided intervals.
    """
    n_P = np.asarray(n_P, dtype=np.float64)
    loss_RP = checked_losses(loss_RP, num_points=len(n_P))
    num_sizes = len(np.unique(n_P))
    if num_sizes < MIN_OFFSET_SIZES:
        reason = f"three parameters need {MIN_OFFSET_SIZES} sizes or more; this series has {num_sizes}"
        return nothing_fitted(OFFSET_FORM, ("e", "a", "alpha"), reason=reason, num_points=len(n_P))
    basis, middle = power_basis(n_P)
    fit = fit_separable(loss_RP, bases=[basis], variance_P=variance_P)
    return separable_law(OFFSET_FORM, fit, loss_P=loss_RP[0], terms=[Term("a", "alpha", "size")], middles=[middle], confidence=confidence)


def _half_width(objective: float, *, squares: float, num_points: int, confidence: float) -> float:
    """Half the interval of alpha by the scatter about the line; 0 where two points leave none to be seen."""
    if num_points < 3:
        return 0.0
    return float(scipy.stats.t.ppf(0.5 + confidence / 2, num_points - 2)) * math.sqrt(objective / (num_points - 2) / squares)


def _profile(alpha: float, *, objective: float, squares: float, num_points: int) -> Profile:
    """The parabola of a linear fit, four standard errors to either side where there is a scatter, else to 0 and twice the value."""
    rounding = NEGLIGIBLE * num_points
    has_scatter = num_points > 2 and objective > rounding
    half = 4 * math.sqrt(objective / (num_points - 2) / squares) if has_scatter else abs(alpha)
    at_K = alpha + half * np.linspace(-1, 1, PROFILE_POINTS)
    return Profile("alpha", at_K, np.square(at_K - alpha) * squares / max(objective, rounding))
