"""From the fit of a separable law, in the units of its bases, to a LawFit in the units of the data.

Letters: R = 1 + B replicates (row 0 is the data), P points, K exponents, X other places to predict at.
"""

from collections.abc import Sequence

import numpy as np

from hf_ctxscale.analysis.laws.identifiable import Term, obstacles
from hf_ctxscale.analysis.laws.intervals import NO_REPLICATES, parameters
from hf_ctxscale.analysis.laws.law_fit import LawFit, Profile
from hf_ctxscale.analysis.laws.separable_fit import SeparableFit


def separable_law(
    form: str,
    fit: SeparableFit,
    *,
    loss_P: np.ndarray,
    terms: Sequence[Term],
    middles: Sequence[float],
    confidence: float,
    asymptote: str = "e",
) -> LawFit:
    """The law's parameters with intervals, or why they have none.

    Args:
        form: the law as it is written.
        fit: in units of x/exp(middle).
        loss_P: the data, in nats.
        terms: names of every term's parameters.
        middles: logs of what x was divided by, one per term.
        confidence: of the two-sided intervals.
        asymptote: name of the constant.
    """
    centre_K = np.asarray(middles, dtype=np.float64)
    values = {asymptote: fit.coef_RJ[:, 0]}
    log_huber = {asymptote: float(fit.log_huber_coef_J[0])}
    for k, term in enumerate(terms):
        values[term.coefficient] = fit.coef_RJ[:, 1 + k] * np.exp(fit.exponents_RK[:, k] * centre_K[k])
        values[term.exponent] = fit.exponents_RK[:, k]
        log_huber[term.coefficient] = float(fit.log_huber_coef_J[1 + k] * np.exp(fit.log_huber_exponents_K[k] * centre_K[k]))
        log_huber[term.exponent] = float(fit.log_huber_exponents_K[k])
    found = obstacles(fit, terms=terms, num_points=len(loss_P), confidence=confidence)
    params = parameters(values, obstacles={asymptote: found.pop("e"), **found}, confidence=confidence)

    def curve(*x: np.ndarray) -> np.ndarray:
        loss_RX = np.repeat(fit.coef_RJ[:, :1], len(x[0]), axis=1)
        for k, x_X in enumerate(x):
            loss_RX += fit.coef_RJ[:, 1 + k, None] * np.exp(-fit.exponents_RK[:, k, None] * (np.log(x_X) - centre_K[k]))
        return loss_RX

    reasons = [param.reason for param in params.values() if param.reason and param.reason != NO_REPLICATES]
    if not fit.converged:
        reasons.insert(0, "the fit did not converge: no second start ended at the same minimum, or its gradient is not 0 there")
    return LawFit(
        form,
        params,
        np.stack(list(values.values()), axis=1),
        fit.predicted_P,
        loss_P - fit.predicted_P,
        fit.converged,
        "; ".join(dict.fromkeys(reasons)) or None,
        fit.convergence,
        log_huber,
        tuple(Profile(term.exponent, profile.at_K, profile.rise_K) for term, profile in zip(terms, fit.profiles, strict=True)),
        curve,
    )
