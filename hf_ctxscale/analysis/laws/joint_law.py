"""From the fit of the joint form, in its own parameters, to a LawFit in the units of the data.

Letters: R = 1 + B replicates (row 0 is the data), P points, K = 4 parameters q (see joint_form), X other places to predict at.
"""

import math

import numpy as np

from hf_ctxscale.analysis.laws.identifiable import EDGE, allowed_rise, open_profile
from hf_ctxscale.analysis.laws.intervals import NO_REPLICATES, Bound, bound_obstacle, parameters, unconverged_obstacle
from hf_ctxscale.analysis.laws.joint_fit import NO_SHARE, JointFit
from hf_ctxscale.analysis.laws.law_fit import LawFit
from hf_ctxscale.analysis.laws.separable_fit import MAX_EXPONENT, MIN_EXPONENT

JOINT_PARAMS = ("alpha_n", "alpha_d", "n_c", "d_c")


def joint_law(form: str, fit: JointFit, *, loss_P: np.ndarray, middles: tuple[float, float], confidence: float) -> LawFit:
    """The law's parameters with intervals, or why they have none.

    Args:
        form: the law as it is written.
        fit: in centred logs of size and data.
        loss_P: the data, in nats.
        middles: mean log size and mean log data.
        confidence: of the two-sided intervals.
    """
    values_RK = _in_units(fit.q_RK, middles=middles)
    found = _obstacles(fit, num_points=len(loss_P), confidence=confidence)
    params = parameters(dict(zip(JOINT_PARAMS, values_RK.T, strict=True)), obstacles=found, confidence=confidence)

    def curve(n_X: np.ndarray, d_X: np.ndarray) -> np.ndarray:
        alpha_n_R, alpha_d_R = np.exp(fit.q_RK[:, 0, None]), np.exp(fit.q_RK[:, 1, None])
        size_RX = (fit.q_RK[:, 2, None] - alpha_n_R * (np.log(n_X) - middles[0])) / alpha_d_R
        data_RX = fit.q_RK[:, 3, None] / alpha_d_R - (np.log(d_X) - middles[1])
        return np.exp(alpha_d_R * np.logaddexp(size_RX, data_RX))

    reasons = [param.reason for param in params.values() if param.reason and param.reason != NO_REPLICATES]
    if not fit.converged:
        reasons.insert(0, "the fit did not converge: no second start ended at the same minimum, or its gradient is not 0 there")
    log_huber = dict(zip(JOINT_PARAMS, _in_units(fit.log_huber_q_K[None], middles=middles)[0].tolist(), strict=True))
    return LawFit(
        form,
        params,
        values_RK,
        fit.predicted_P,
        loss_P - fit.predicted_P,
        fit.converged,
        "; ".join(dict.fromkeys(reasons)) or None,
        fit.convergence,
        {name: value for name, value in log_huber.items() if math.isfinite(value)},
        fit.profiles,
        curve,
    )


def _in_units(q_MK: np.ndarray, *, middles: tuple[float, float]) -> np.ndarray:
    """alpha_N, alpha_D, N_c and D_c, (M, 4); a scale beyond what a float holds is infinite."""
    alpha_M2 = np.exp(q_MK[:, :2])
    with np.errstate(over="ignore"):
        return np.concatenate([alpha_M2, np.exp(q_MK[:, 2:] / alpha_M2 + np.array(middles))], axis=1)


def _obstacles(fit: JointFit, *, num_points: int, confidence: float) -> dict[str, str | None]:
    allowed = allowed_rise(num_points, num_params=len(JOINT_PARAMS), confidence=confidence)
    found: dict[str, str | None] = {}
    shares = (fit.size_share_RP, 1 - fit.size_share_RP)
    for k, (exponent, scale, cause) in enumerate((("alpha_n", "n_c", "size"), ("alpha_d", "d_c", "data"))):
        exponent_R = np.exp(fit.q_RK[:, k])
        bounds = [
            Bound(shares[k].max(axis=1) <= NO_SHARE, f"the loss does not change with {cause}"),
            Bound(exponent_R <= MIN_EXPONENT * (1 + EDGE), f"{exponent} runs to the end of its range, {MIN_EXPONENT:g}"),
            Bound(exponent_R >= MAX_EXPONENT * (1 - EDGE), f"{exponent} runs to the end of its range, {MAX_EXPONENT:g}"),
        ]
        obstacle = bound_obstacle(bounds, confidence=confidence) or unconverged_obstacle(fit.converged_R)
        if not obstacle and len(fit.q_RK) == 1:
            profile = fit.profiles[k]
            obstacle = open_profile(profile.at_K, profile.rise_K, exponent=exponent, allowed=allowed, confidence=confidence)
        found |= {exponent: obstacle, scale: obstacle}
    return found
