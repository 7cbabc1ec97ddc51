"""Which parameters of a separable law the data pin down: judged by the replicates, or by the profiles where there are none.

Letters: R = 1 + B replicates (row 0 is the data), K exponents, J = 1 + K coefficients.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from hf_ctxscale.analysis.laws.intervals import Bound, bound_obstacle, unconverged_obstacle
from hf_ctxscale.analysis.laws.separable_fit import MAX_EXPONENT, MIN_EXPONENT, SeparableFit

EDGE = 1e-6  # relative: an exponent this close to the end of its range has run there


@dataclass(frozen=True)
class Term:
    """One term C·x^-gamma of a law, in words."""

    coefficient: str  # names of the parameters
    exponent: str
    falls_with: str  # "size"


def obstacles(fit: SeparableFit, *, terms: Sequence[Term], num_points: int, confidence: float) -> dict[str, str | None]:
    """Why parameters are not identifiable, by name; the asymptote is called "e".

    Asymptote and terms are traded against each other: a term that is not identifiable takes the asymptote with it, and where the asymptote
    is held up by its bound alone, so are the exponents.
    """
    allowed = allowed_rise(num_points, num_params=fit.exponents_RK.shape[1] + fit.coef_RJ.shape[1], confidence=confidence)
    no_asymptote = _asymptote_obstacle(fit, allowed=allowed, confidence=confidence)
    found: dict[str, str | None] = {}
    for k, term in enumerate(terms):
        obstacle = _term_obstacle(fit, k, term=term, allowed=allowed, confidence=confidence) or no_asymptote
        found |= {term.coefficient: obstacle, term.exponent: obstacle}
    return {"e": no_asymptote or next((obstacle for obstacle in found.values() if obstacle), None), **found}


def _asymptote_obstacle(fit: SeparableFit, *, allowed: float, confidence: float) -> str | None:
    bound = Bound(fit.coef_RJ[:, 0] <= 0, "the data do not show where the loss levels off (it falls to 0)")
    obstacle = bound_obstacle([bound], confidence=confidence)
    if obstacle or len(fit.exponents_RK) > 1:
        return obstacle
    for profile in fit.profiles:
        without_K = (profile.coef_KJ[:, 0] <= 0) & (profile.rise_K <= allowed)
        if without_K.any():
            exponent = profile.at_K[without_K][0]
            return f"the data do not show where the loss levels off: a fall to 0, as with exponent {exponent:.3g}, lies within {_percent(confidence)}"
    return None


def _term_obstacle(fit: SeparableFit, k: int, *, term: Term, allowed: float, confidence: float) -> str | None:
    obstacle = bound_obstacle(_term_bounds(fit, k, term=term), confidence=confidence) or unconverged_obstacle(fit.converged_R)
    if obstacle or len(fit.exponents_RK) > 1:
        return obstacle
    profile = fit.profiles[k]
    return open_profile(profile.at_K, profile.rise_K, exponent=term.exponent, allowed=allowed, confidence=confidence)


def _term_bounds(fit: SeparableFit, k: int, *, term: Term) -> list[Bound]:
    exponent_R = fit.exponents_RK[:, k]
    return [
        Bound(fit.coef_RJ[:, 1 + k] <= 0, f"the loss does not fall with {term.falls_with} ({term.coefficient.upper()} is 0)"),
        Bound(exponent_R <= MIN_EXPONENT * (1 + EDGE), f"{term.exponent} runs to the end of its range, {MIN_EXPONENT:g}"),
        Bound(exponent_R >= MAX_EXPONENT * (1 - EDGE), f"{term.exponent} runs to the end of its range, {MAX_EXPONENT:g}"),
    ]


def allowed_rise(num_points: int, *, num_params: int, confidence: float) -> float:
    """How far the objective may rise above its minimum, as a share of it, within the likelihood-ratio interval of one parameter."""
    left = num_points - num_params
    return float(scipy.stats.f.ppf(confidence, 1, left)) / left if left > 0 else math.inf


def open_profile(at_K: np.ndarray, rise_K: np.ndarray, *, exponent: str, allowed: float, confidence: float) -> str | None:
    """Why an exponent is not identifiable: its profile is still low at an end of the range; None where it is high at both."""
    for end in (0, -1):
        if rise_K[end] <= allowed:
            return (
                f"with {exponent} held at {at_K[end]:.3g} the squared residuals are {100 * rise_K[end]:.3g} % larger, "
                f"and {_percent(confidence)} allows {100 * allowed:.3g} %"
            )
    return None


def _percent(confidence: float) -> str:
    return f"{100 * confidence:g} % confidence"
