"""What each point of a fit weighs: one over its known relative variance, and an equal share where no variance is known."""

import numpy as np

NEGLIGIBLE = 1e-26  # squared relative residuals per point that are rounding


def relative_weights(loss_P: np.ndarray, *, variance_P: np.ndarray | None) -> np.ndarray:
    """Weights of squared relative residuals, (P,), with mean 1.

    Args:
        loss_P: losses in nats.
        variance_P: known variances of the losses in nats²; None: all relative residuals weigh the same.
    """
    if variance_P is None:
        return np.ones(len(loss_P))
    variance_P = np.asarray(variance_P, dtype=np.float64)
    assert variance_P.shape == loss_P.shape, (variance_P.shape, loss_P.shape)
    assert np.isfinite(variance_P).all(), variance_P
    assert (variance_P > 0).all(), variance_P
    weights_P = np.square(loss_P) / variance_P
    return weights_P / weights_P.mean()


def checked_losses(loss_RP: np.ndarray, *, num_points: int) -> np.ndarray:
    """The losses as float64, (R, P), after a check that none is missing: callers leave such points out and say so."""
    loss_RP = np.asarray(loss_RP, dtype=np.float64)
    assert loss_RP.ndim == 2, loss_RP.shape
    assert loss_RP.shape[1] == num_points, (loss_RP.shape, num_points)
    assert np.isfinite(loss_RP).all(), "a loss is missing"
    assert (loss_RP > 0).all(), "a loss is not above zero"
    return loss_RP
