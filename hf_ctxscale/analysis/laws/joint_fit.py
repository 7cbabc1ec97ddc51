"""The whole fit of the joint form: many starts from its linearised form, every replicate from two of them, and the profiles.

Letters: R = 1 + B replicates (row 0 is the data), M fits, P points, K = 4 parameters q (see joint_form), S starts.
"""

from dataclasses import dataclass

import numpy as np

from hf_ctxscale.analysis.laws.joint_form import JointProblem, JointStarts, linearised_starts
from hf_ctxscale.analysis.laws.law_fit import Convergence, Profile
from hf_ctxscale.analysis.laws.levenberg import GRADIENT_REACHED, Minima, minimise
from hf_ctxscale.analysis.laws.log_huber import log_huber
from hf_ctxscale.analysis.laws.separable import local_minima, spread_over
from hf_ctxscale.analysis.laws.separable_fit import MAX_EXPONENT, MIN_EXPONENT, NUM_EXPONENTS, agreeing
from hf_ctxscale.analysis.laws.weighting import NEGLIGIBLE

# How far a = alpha_N·ln N_c and b = alpha_D·ln D_c, at the middle of the data, may lie from the log losses: beyond it their term is nothing.
REACH = 100.0
NO_SHARE = 1e-4  # of the bracket: a term that is nowhere larger is not there
EXPONENT_NAMES = ("alpha_n", "alpha_d")


@dataclass(frozen=True)
class JointFit:
    """Every replicate's parameters q, and how the data's were found."""

    q_RK: np.ndarray
    size_share_RP: np.ndarray  # of the bracket
    converged_R: np.ndarray
    predicted_P: np.ndarray
    convergence: Convergence
    converged: bool
    log_huber_q_K: np.ndarray
    profiles: tuple[Profile, ...]


def fit_joint(problem: JointProblem) -> JointFit:
    """Fits the joint form by least squares on weighted log residuals."""
    grid_G = np.geomspace(MIN_EXPONENT, MAX_EXPONENT, NUM_EXPONENTS[2])
    found = linearised_starts(problem, grid_G)
    minima, spread = local_minima(found.objective), spread_over(found.objective.shape)
    start_SK = found.q_of_grid[tuple(np.concatenate([minima, spread]).T)]
    of_data = _descend(problem, start_SK, rows_M=np.zeros(len(start_SK), dtype=np.int64))
    best = of_data.objective_M.argmin()
    q_K, objective, gradient = of_data.params_MK[best], float(of_data.objective_M[best]), float(of_data.gradient_M[best])
    negligible = NEGLIGIBLE * len(problem.n_P)
    if objective <= negligible:
        gradient = 0.0
    share_P = problem.size_share(q_K[None])[0]
    matters_K = np.array([share_P.max(), 1 - share_P.min()]) > NO_SHARE
    same = agreeing(of_data, log_exponents_K=q_K[:2], matters_K=matters_K, objective=objective, negligible=negligible)

    num = len(problem.log_loss_RP)
    rows = np.arange(num)
    both = _descend(problem, np.concatenate([found.q_RK, np.broadcast_to(q_K, found.q_RK.shape)]), rows_M=np.tile(rows, 2))
    best_R = np.where(both.objective_M[:num] < both.objective_M[num:], rows, num + rows)
    q_RK = both.params_MK[best_R]
    q_RK[0] = q_K
    low_K, high_K = _bounds(problem)
    huber_q_K = log_huber(
        lambda q_K: (problem.log_model(q_K[None])[0][0], problem.log_model(q_K[None])[1][0].T),
        q_K,
        loss_P=np.exp(problem.log_loss_RP[0]),
        low_K=low_K,
        high_K=high_K,
    )
    return JointFit(
        q_RK,
        problem.size_share(q_RK),
        both.converged_M[best_R],
        np.exp(problem.log_model(q_K[None])[0][0]),
        Convergence(objective, gradient, len(start_SK), same),
        gradient <= GRADIENT_REACHED and (same > 1 or len(minima) == 1),
        huber_q_K,
        tuple(_profile(problem, k, q_K=q_K, objective=max(objective, negligible), found=found) for k in range(2)),
    )


def _bounds(problem: JointProblem) -> tuple[np.ndarray, np.ndarray]:
    level = float(problem.log_loss_RP[0].mean())
    ends = np.log([MIN_EXPONENT, MAX_EXPONENT])
    return np.array([ends[0], ends[0], level - REACH, level - REACH]), np.array([ends[1], ends[1], level + REACH, level + REACH])


def _descend(problem: JointProblem, q_MK: np.ndarray, *, rows_M: np.ndarray, free_MK: np.ndarray | None = None) -> Minima:
    low_K, high_K = _bounds(problem)
    return minimise(
        lambda q_AK, going_A: problem.residuals(q_AK, rows_M[going_A]),
        q_MK,
        low_K=low_K,
        high_K=high_K,
        negligible=NEGLIGIBLE * len(problem.n_P),
        free_MK=free_MK,
    )


def _profile(problem: JointProblem, held: int, *, q_K: np.ndarray, objective: float, found: JointStarts) -> Profile:
    """The data fitted with one exponent held at every value of the grid, and at its best."""
    other = 1 - held
    best_of_other = found.objective.argmin(axis=other)
    own = np.arange(len(best_of_other))
    chosen = (own, best_of_other) if held == 0 else (best_of_other, own)
    start_MK = np.concatenate([found.q_of_grid[chosen], q_K[None]])
    start_MK = start_MK[start_MK[:, held].argsort()]
    free_MK = np.ones(start_MK.shape, dtype=bool)
    free_MK[:, held] = False
    minima = _descend(problem, start_MK, rows_M=np.zeros(len(start_MK), dtype=np.int64), free_MK=free_MK)
    return Profile(EXPONENT_NAMES[held], np.exp(start_MK[:, held]), np.maximum(minima.objective_M / objective - 1, 0.0))
