"""The log-Huber estimator of Hoffmann et al. 2022, beside the least squares: a named sensitivity, started from the least-squares solution."""

from collections.abc import Callable

import numpy as np
import scipy

DELTA = 1e-3


def log_huber(
    log_model: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
    start_K: np.ndarray,
    *,
    loss_P: np.ndarray,
    low_K: np.ndarray,
    high_K: np.ndarray,
) -> np.ndarray:
    """Parameters, (K,), that minimise the Huber loss of log f - log L with delta 1e-3; every point weighs the same.

    Args:
        log_model: from parameters, (K,), to log f, (P,), and its Jacobian, (P, K).
        start_K: the least-squares solution.
        loss_P: the data, in nats.
        low_K: bounds of the parameters.
        high_K: bounds of the parameters.

    Source:
        Hoffmann et al. 2022, section 3.3, approach 3.
    """
    log_loss_P = np.log(loss_P)
    found = scipy.optimize.least_squares(
        lambda params_K: log_model(params_K)[0] - log_loss_P,
        np.clip(start_K, low_K, high_K),
        jac=lambda params_K: log_model(params_K)[1],
        bounds=(low_K, high_K),
        x_scale="jac",
        loss="huber",
        f_scale=DELTA,
        max_nfev=300,
    )
    return found.x
