"""Levenberg and Marquardt's least squares for many small problems at once, each with its own damping, within bounds.

Letters: M problems, A of them still going, P residuals, K parameters.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hf_ctxscale.analysis.laws.small_systems import solve_many

MAX_STEPS = 100
GRADIENT = 1e-9  # a cosine: smaller is rounding
GRADIENT_REACHED = 1e-5  # what counts as converged where rounding ends the descent before
STEP = 1e-12
NO_CURVATURE = 1e-28  # of the largest: a parameter that changes the residuals less than rounding does
FIRST_DAMPING, LEAST_DAMPING, MOST_DAMPING = 1e-3, 1e-12, 1e12

Evaluate = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Minima:
    """Where each problem ended."""

    params_MK: np.ndarray
    objective_M: np.ndarray  # sums of squared residuals
    gradient_M: np.ndarray  # largest cosine between the residuals and a parameter's direction that no bound forbids
    converged_M: np.ndarray


def minimise(
    evaluate: Evaluate, start_MK: np.ndarray, *, low_K: np.ndarray, high_K: np.ndarray, negligible: float, free_MK: np.ndarray | None = None
) -> Minima:
    """Minimises the sum of squared residuals of every problem.

    Args:
        evaluate: from parameters, (A, K), and the numbers of their problems, (A,), to residuals, (A, P), and their Jacobian, (A, K, P).
        start_MK: where each problem starts.
        low_K: bounds of the parameters.
        high_K: bounds of the parameters.
        negligible: a sum of squares that is rounding.
        free_MK: which parameters may move; None: all.

    Source:
        Marquardt 1963, with the damping of Nielsen 1999 (IMM-REP-1999-05): it follows how well the last step was foreseen. Parameters at a
        bound stay there while the gradient holds them.
    """
    params_MK = np.clip(np.asarray(start_MK, dtype=np.float64), low_K, high_K)
    free_MK = np.ones(params_MK.shape, dtype=bool) if free_MK is None else free_MK
    num = len(params_MK)
    residual_MP, jacobian_MKP = evaluate(params_MK, np.arange(num))
    objective_M = np.square(residual_MP).sum(axis=1)
    gradient_M = np.zeros(num)
    damping_M, rise_M = np.full(num, FIRST_DAMPING), np.full(num, 2.0)
    going_A = np.arange(num)
    for _ in range(MAX_STEPS):
        jacobian_AKP, params_AK = jacobian_MKP[going_A], params_MK[going_A]
        slope_AK, curvature_AKK = _normal_equations(residual_MP[going_A], jacobian_AKP)
        diagonal_AK = np.einsum("akk->ak", curvature_AKK)
        held_AK = ~free_MK[going_A] | ((params_AK <= low_K) & (slope_AK > 0)) | ((params_AK >= high_K) & (slope_AK < 0))
        held_AK |= diagonal_AK <= NO_CURVATURE * diagonal_AK.max(axis=1, keepdims=True)
        slope_AK = np.where(held_AK, 0.0, slope_AK)
        gradient_M[going_A] = _largest_cosine(slope_AK, curvature_AKK, objective_A=objective_M[going_A])
        step_AK = _damped_step(slope_AK, curvature_AKK, held_AK=held_AK, damping_A=damping_M[going_A])
        trial_AK = np.clip(params_AK + step_AK, low_K, high_K)
        settled_A = (
            (gradient_M[going_A] <= GRADIENT)
            | (objective_M[going_A] <= negligible)
            | (np.abs(trial_AK - params_AK) <= STEP * (1 + np.abs(params_AK))).all(axis=1)
            | (damping_M[going_A] >= MOST_DAMPING)
        )
        # Of the sum of squares, along the step before it was clipped.
        foreseen_A = -(step_AK * slope_AK).sum(axis=1) + damping_M[going_A] * (step_AK**2 * diagonal_AK).sum(axis=1)
        going_A, trial_AK, foreseen_A = going_A[~settled_A], trial_AK[~settled_A], foreseen_A[~settled_A]
        if not len(going_A):
            break
        trial_AP, trial_AKP = evaluate(trial_AK, going_A)
        squares_A = np.square(trial_AP).sum(axis=1)
        gain_A = objective_M[going_A] - squares_A
        better_A = gain_A > 0
        kept_A = going_A[better_A]
        params_MK[kept_A] = trial_AK[better_A]
        objective_M[kept_A] = squares_A[better_A]
        residual_MP[kept_A], jacobian_MKP[kept_A] = trial_AP[better_A], trial_AKP[better_A]
        ratio_A = np.divide(gain_A, foreseen_A, out=np.zeros_like(gain_A), where=foreseen_A > 0)
        damping_M[going_A] *= np.where(better_A, np.clip(1 - (2 * ratio_A - 1) ** 3, 1 / 3, 2), rise_M[going_A])
        damping_M[kept_A] = np.maximum(damping_M[kept_A], LEAST_DAMPING)
        rise_M[going_A] = np.where(better_A, 2.0, 2 * rise_M[going_A])
    return Minima(params_MK, objective_M, gradient_M, (gradient_M <= GRADIENT_REACHED) | (objective_M <= negligible))


def _normal_equations(residual_AP: np.ndarray, jacobian_AKP: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    slope_AK = (jacobian_AKP @ residual_AP[:, :, None])[:, :, 0]
    return slope_AK, jacobian_AKP @ jacobian_AKP.transpose(0, 2, 1)


def _largest_cosine(slope_AK: np.ndarray, curvature_AKK: np.ndarray, *, objective_A: np.ndarray) -> np.ndarray:
    lengths_AK = np.sqrt(np.einsum("akk->ak", curvature_AKK) * objective_A[:, None])
    return np.divide(np.abs(slope_AK), lengths_AK, out=np.zeros_like(slope_AK), where=lengths_AK > 0).max(axis=1)


def _damped_step(slope_AK: np.ndarray, curvature_AKK: np.ndarray, *, held_AK: np.ndarray, damping_A: np.ndarray) -> np.ndarray:
    """The step of the free parameters; a held one stays."""
    moving_AKK = ~(held_AK[:, :, None] | held_AK[:, None, :])
    matrix_AKK = np.where(moving_AKK, curvature_AKK, 0.0)
    np.einsum("akk->ak", matrix_AKK)[...] *= 1 + damping_A[:, None]
    np.einsum("akk->ak", matrix_AKK)[...] += held_AK
    return -solve_many(matrix_AKK, slope_AK[:, :, None])[:, :, 0]
