"""Loss against context position: L_inf + A·t^-alpha over bins of positions, one model at a time.

Letters: R = 1 + B replicates (row 0 is the data), W windows (bins) of positions, T context positions.
"""

from collections.abc import Sequence

import numpy as np

from hf_ctxscale.analysis.laws.bases import bin_basis
from hf_ctxscale.analysis.laws.identifiable import Term
from hf_ctxscale.analysis.laws.law_fit import LawFit, nothing_fitted
from hf_ctxscale.analysis.laws.separable_fit import MAX_EXPONENT, fit_separable
from hf_ctxscale.analysis.laws.separable_law import separable_law
from hf_ctxscale.analysis.laws.weighting import checked_losses

POSITION_FORM = "L_inf + A*t^-alpha"
MIN_BINS = 5  # three parameters and something left to disagree with them


def fit_position_law(
    bins: Sequence[tuple[int, int]],
    loss_RW: np.ndarray,
    *,
    num_tokens_T: np.ndarray | None = None,
    variance_W: np.ndarray | None = None,
    confidence: float = 0.95,
) -> LawFit:
    """Fits L_inf + A·t^-alpha with L_inf, A >= 0 to means over bins by least squares on weighted relative residuals.

    Args:
        bins: windows of positions that follow on each other, both ends included, (W,).
        loss_RW: mean losses of the bins in nats, (R, W).
        num_tokens_T: how many tokens each position has, (T,), which decides what a bin's mean is a mean of; None: all the same.
        variance_W: known variances of the means in nats², (W,); None: all relative residuals weigh the same, so every octave counts alike.
        confidence: of the two-sided intervals.

    Source:
        The form of Kaplan et al. 2020, appendix D.5 and figure 20.
    """
    loss_RW = checked_losses(loss_RW, num_points=len(bins))
    if len(bins) < MIN_BINS:
        reason = f"three parameters need {MIN_BINS} bins of positions or more; positions {bins[0][0]} to {bins[-1][1]} give {len(bins)}"
        return nothing_fitted(POSITION_FORM, ("l_inf", "a", "alpha"), reason=reason, num_points=len(bins))
    basis = bin_basis(bins, num_tokens_T=num_tokens_T, max_exponent=MAX_EXPONENT)
    fit = fit_separable(loss_RW, bases=[basis], variance_P=variance_W)
    terms = [Term("a", "alpha", "position")]
    return separable_law(POSITION_FORM, fit, loss_P=loss_RW[0], terms=terms, middles=[0.0], confidence=confidence, asymptote="l_inf")
