"""Replicates of losses that came without documents, such as a table from elsewhere: from given errors, or from the scatter about a fit.

Letters: R = 1 + B replicates (row 0 is the data), P points.
"""

import math

import numpy as np


def scatter_replicates(
    loss_P: np.ndarray,
    *,
    predicted_P: np.ndarray,
    num_params: int,
    std_error_P: np.ndarray | None = None,
    num_replicates: int = 1000,
    seed: int = 0,
) -> np.ndarray:
    """The data, then made-up repetitions of them: the fitted law plus normal errors.

    Args:
        loss_P: the data, in nats.
        predicted_P: what the law gives, in nats.
        num_params: how many parameters it has.
        std_error_P: known standard errors, in nats; None: relative errors are equal, and their size is that of the relative residuals.
        num_replicates: B.
        seed: of the draws.

    Returns:
        (R, P) in nats; the data alone, (1, P), where nothing was fitted, or where there is neither an error nor a degree of freedom.

    Source:
        The parametric bootstrap of Efron & Tibshirani 1993, section 6.5. One chi-square draw per replicate scales a scatter that was itself
        estimated, as in a t interval.
    """
    loss_P, predicted_P = (np.asarray(values, dtype=np.float64) for values in (loss_P, predicted_P))
    left = len(loss_P) - num_params
    if not np.isfinite(predicted_P).all() or (std_error_P is None and left < 1):
        return loss_P[None]
    rng = np.random.default_rng(seed)
    draws_RP = rng.standard_normal((num_replicates, len(loss_P)))
    if std_error_P is None:
        scatter = math.sqrt(np.square((loss_P - predicted_P) / predicted_P).sum() / left)
        errors_RP = draws_RP * scatter * predicted_P * np.sqrt(left / rng.chisquare(left, (num_replicates, 1)))
    else:
        errors_RP = draws_RP * np.asarray(std_error_P, dtype=np.float64)
    # A loss of 0 or less has no meaning; draws that far out are those of a law that says nothing.
    return np.concatenate([loss_P[None], np.maximum(predicted_P + errors_RP, np.finfo(np.float64).tiny)])
