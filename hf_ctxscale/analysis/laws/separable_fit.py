"""The whole fit of a separable law: grid, many starts, a joint polish of the data, every replicate from two starts, and the profiles.

Letters: R = 1 + B replicates (row 0 is the data), P points, K exponents, J = 1 + K coefficients, G exponents of the grid, S starts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from hf_ctxscale.analysis.laws.bases import Basis
from hf_ctxscale.analysis.laws.law_fit import Convergence
from hf_ctxscale.analysis.laws.levenberg import GRADIENT_REACHED, Minima
from hf_ctxscale.analysis.laws.log_huber import log_huber
from hf_ctxscale.analysis.laws.separable import SeparableProblem, descend, local_minima, search_grid, spread_over
from hf_ctxscale.analysis.laws.weighting import relative_weights

MIN_EXPONENT, MAX_EXPONENT = 0.01, 4.0
NUM_EXPONENTS = {1: 65, 2: 33}  # of the grid, by the number of exponents that are searched together
PROFILE_POINTS = 32
AT_BOUND = 1e-9  # of a log exponent, or of a coefficient beside losses of about 1
SAME_OBJECTIVE, SAME_EXPONENTS = 1e-6, 1e-3


@dataclass(frozen=True)
class ExponentProfile:
    """The best fit with one exponent held at each of several values."""

    at_K: np.ndarray
    rise_K: np.ndarray  # objective over its minimum, minus 1
    coef_KJ: np.ndarray


@dataclass(frozen=True)
class SeparableFit:
    """Exponents and coefficients of every replicate, in the units of the bases."""

    exponents_RK: np.ndarray
    coef_RJ: np.ndarray  # E first
    converged_R: np.ndarray
    predicted_P: np.ndarray
    convergence: Convergence
    converged: bool
    log_huber_exponents_K: np.ndarray
    log_huber_coef_J: np.ndarray
    profiles: tuple[ExponentProfile, ...]


def fit_separable(loss_RP: np.ndarray, *, bases: Sequence[Basis], variance_P: np.ndarray | None) -> SeparableFit:
    """Fits E + sum of C_k·basis_k(gamma_k) to every replicate.

    Args:
        loss_RP: losses in nats, (R, P).
        bases: one per exponent.
        variance_P: known variances of the losses in nats², (P,); None: all relative residuals weigh the same.
    """
    weights_P = relative_weights(loss_RP[0], variance_P=variance_P)
    scale_P = np.sqrt(weights_P) / loss_RP[0]
    problem = SeparableProblem(loss_RP * scale_P, scale_P, tuple(bases))
    grid_G = np.geomspace(MIN_EXPONENT, MAX_EXPONENT, NUM_EXPONENTS[len(bases)])
    found = search_grid(problem, grid_G)

    minima = local_minima(found.objective)
    start_SK = np.log(grid_G[np.concatenate([minima, spread_over(found.objective.shape)])])
    of_data = descend(problem, start_SK, rows_M=np.zeros(len(start_SK), dtype=np.int64), grid_G=grid_G)
    exponents_K, coef_J, objective, gradient = _polished(problem, np.exp(of_data.params_MK[of_data.objective_M.argmin()]), grid_G=grid_G)
    same = agreeing(
        of_data, log_exponents_K=np.log(exponents_K), matters_K=coef_J[1:] > 0, objective=objective, negligible=problem.negligible
    )
    convergence = Convergence(objective, gradient, len(start_SK), same)

    exponents_RK, converged_R = _every_replicate(problem, grid_G[found.best_RK], exponents_K=exponents_K, grid_G=grid_G)
    coef_RJ = problem.coefficients(exponents_RK, np.arange(len(loss_RP)))
    predicted_P = (coef_J @ problem.columns(exponents_K[None])[0][0]) / scale_P
    huber_exponents_K, huber_coef_J = _log_huber(problem, loss_P=loss_RP[0], exponents_K=exponents_K, coef_J=coef_J)
    return SeparableFit(
        exponents_RK,
        coef_RJ,
        converged_R,
        predicted_P,
        convergence,
        gradient <= GRADIENT_REACHED and (same > 1 or len(minima) == 1),
        huber_exponents_K,
        huber_coef_J,
        tuple(
            _profile(problem, k, exponents_K=exponents_K, objective=objective, grid_G=grid_G, search=found.objective)
            for k in range(len(bases))
        ),
    )


def joint_model(problem: SeparableProblem, params_L: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scaled losses, (P,), of coefficients and log exponents, (J + K,), and their Jacobian, (P, J + K)."""
    num_columns = 1 + len(problem.bases)
    columns_MJP, slopes_MKP = problem.columns(np.exp(params_L[None, num_columns:]))
    columns_JP, slopes_KP = columns_MJP[0], slopes_MKP[0]
    coef_J = params_L[:num_columns]
    return coef_J @ columns_JP, np.concatenate([columns_JP, coef_J[1:, None] * slopes_KP]).T


def _joint_bounds(problem: SeparableProblem, grid_G: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    num = len(problem.bases)
    low_L = np.concatenate([np.zeros(1 + num), np.full(num, np.log(grid_G[0]))])
    return low_L, np.concatenate([np.full(1 + num, np.inf), np.full(num, np.log(grid_G[-1]))])


def _polished(problem: SeparableProblem, exponents_K: np.ndarray, *, grid_G: np.ndarray) -> tuple[np.ndarray, np.ndarray, float, float]:
    """The data's best exponents and coefficients after a joint descent in all of them, with the objective and its scaled gradient."""
    first_row = np.zeros(1, dtype=np.int64)
    low_L, high_L = _joint_bounds(problem, grid_G)
    data_P = problem.scaled_RP[0]

    def with_coefficients(exponents_K: np.ndarray) -> np.ndarray:
        return np.concatenate([problem.coefficients(exponents_K[None], first_row)[0], np.log(exponents_K)])

    def objective(params_L: np.ndarray) -> float:
        return float(np.square(joint_model(problem, params_L)[0] - data_P).sum())

    start_L = np.clip(with_coefficients(exponents_K), low_L, high_L)
    joint = scipy.optimize.least_squares(
        lambda params_L: joint_model(problem, params_L)[0] - data_P,
        start_L,
        jac=lambda params_L: joint_model(problem, params_L)[1],
        bounds=(low_L, high_L),
        x_scale="jac",
        xtol=1e-15,
        ftol=1e-15,
        gtol=1e-15,
        max_nfev=50,
    )
    num_columns = 1 + len(problem.bases)
    polished_L = with_coefficients(np.exp(joint.x[num_columns:]))
    best_L = polished_L if objective(polished_L) < objective(start_L) else start_L
    gradient = _scaled_gradient(problem, best_L, low_L=low_L, high_L=high_L)
    return np.exp(best_L[num_columns:]), best_L[:num_columns], objective(best_L), gradient


def _scaled_gradient(problem: SeparableProblem, params_L: np.ndarray, *, low_L: np.ndarray, high_L: np.ndarray) -> float:
    """Largest cosine between the residuals and what a parameter can change; 0 where a bound forbids it, or where nothing is left."""
    model_P, jacobian_PL = joint_model(problem, params_L)
    residual_P = model_P - problem.scaled_RP[0]
    left = float(np.square(residual_P).sum())
    if left <= problem.negligible:
        return 0.0
    slope_L = residual_P @ jacobian_PL
    held_L = ((params_L <= low_L + AT_BOUND) & (slope_L > 0)) | ((params_L >= high_L - AT_BOUND) & (slope_L < 0))
    lengths_L = np.linalg.norm(jacobian_PL, axis=0) * np.sqrt(left)
    cosine_L = np.divide(np.abs(slope_L), lengths_L, out=np.zeros_like(slope_L), where=(lengths_L > 0) & ~held_L)
    return float(cosine_L.max())


def agreeing(minima: Minima, *, log_exponents_K: np.ndarray, matters_K: np.ndarray, objective: float, negligible: float) -> int:
    """How many starts ended at this minimum.

    Args:
        minima: where each start ended; the first parameters are log exponents.
        log_exponents_K: of the best.
        matters_K: whether an exponent changes anything there: one whose term is 0 does not.
        objective: of the best.
        negligible: a sum of squares that is rounding.
    """
    same_S = minima.objective_M <= objective * (1 + SAME_OBJECTIVE) + negligible
    distances_SK = np.abs(minima.params_MK[:, : len(log_exponents_K)] - log_exponents_K)
    same_S &= (distances_SK <= SAME_EXPONENTS)[:, matters_K].all(axis=1)
    return int(same_S.sum())


def _every_replicate(
    problem: SeparableProblem, own_RK: np.ndarray, *, exponents_K: np.ndarray, grid_G: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Exponents, (R, K), of the better of two descents, from the data's solution and from a replicate's own best point of the grid.

    Where that point is next to the data's solution, both lead to the same minimum, and one descent serves.
    """
    log_own_RK, log_data_K = np.log(own_RK), np.log(exponents_K)
    found = descend(problem, np.broadcast_to(log_data_K, own_RK.shape), rows_M=np.arange(len(own_RK)), grid_G=grid_G)
    log_gamma_RK, converged_R = found.params_MK, found.converged_M
    (apart_A,) = np.nonzero((np.abs(log_own_RK - log_data_K) > np.log(grid_G[1] / grid_G[0])).any(axis=1))
    if len(apart_A):
        own = descend(problem, log_own_RK[apart_A], rows_M=apart_A, grid_G=grid_G)
        better_A = own.objective_M < found.objective_M[apart_A]
        log_gamma_RK[apart_A[better_A]] = own.params_MK[better_A]
        converged_R[apart_A[better_A]] = own.converged_M[better_A]
    exponents_RK = np.exp(log_gamma_RK)
    exponents_RK[0] = exponents_K
    return exponents_RK, converged_R


def _profile(
    problem: SeparableProblem, held: int, *, exponents_K: np.ndarray, objective: float, grid_G: np.ndarray, search: np.ndarray
) -> ExponentProfile:
    """The data fitted with one exponent held over the grid's range, the others free, started from the grid's best."""
    chosen = np.unique(np.linspace(0, len(grid_G) - 1, PROFILE_POINTS).round().astype(np.int64))
    start_MK = np.empty((len(chosen) + 1, len(problem.bases)))
    for m, g in enumerate(chosen):
        at_best = np.unravel_index(np.take(search, g, axis=held).argmin(), search.shape[1:])
        start_MK[m] = np.insert(grid_G[list(at_best)], held, grid_G[g])
    start_MK[-1] = exponents_K
    start_MK = start_MK[start_MK[:, held].argsort()]
    rows_M = np.zeros(len(start_MK), dtype=np.int64)
    free_MK = np.ones(start_MK.shape, dtype=bool)
    free_MK[:, held] = False
    minima = descend(problem, np.log(start_MK), rows_M=rows_M, grid_G=grid_G, free_MK=free_MK)
    rise_K = minima.objective_M / max(objective, problem.negligible) - 1
    coef_KJ = problem.coefficients(np.exp(minima.params_MK), rows_M)
    return ExponentProfile(start_MK[:, held], np.maximum(rise_K, 0.0), coef_KJ)


def _log_huber(
    problem: SeparableProblem, *, loss_P: np.ndarray, exponents_K: np.ndarray, coef_J: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    low_L, high_L = _joint_bounds(problem, np.array([MIN_EXPONENT, MAX_EXPONENT]))

    def log_model(params_L: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        model_P, jacobian_PL = joint_model(problem, params_L)
        return np.log(model_P / problem.scale_P), jacobian_PL / model_P[:, None]

    start_L = np.concatenate([coef_J, np.log(exponents_K)])
    found_L = log_huber(log_model, start_L, loss_P=loss_P, low_K=low_L, high_K=high_L)
    return np.exp(found_L[len(coef_J) :]), found_L[: len(coef_J)]
