"""Kaplan et al.'s joint form, [(N_c/N)^(alpha_N/alpha_D) + D_c/D]^alpha_D: its logarithm, its derivatives, and where to start.

Sizes n and data d are centred logs here, and the parameters are q = (ln alpha_N, ln alpha_D, a, b) with a = alpha_N·ln N_c and
b = alpha_D·ln D_c, so that ln f = alpha_D·ln(exp((a - alpha_N·n)/alpha_D) + exp(b/alpha_D - d)).
Letters: R = 1 + B replicates (row 0 is the data), M fits, A of them still going, P points, G exponents of the grid, S starts, K = 4.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from hf_ctxscale.analysis.laws.nonnegative import shared_solution

LEAST_SHARE = 1e-3  # of a term that a start would otherwise leave out: from 0 there is no way down


@dataclass(frozen=True)
class JointProblem:
    """The data of a fit of the joint form."""

    n_P: np.ndarray  # centred logs
    d_P: np.ndarray
    log_loss_RP: np.ndarray
    root_weight_P: np.ndarray

    def log_model(self, q_MK: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log losses, (M, P), and their derivatives by q, (M, K, P)."""
        alpha_n_M, alpha_d_M = np.exp(q_MK[:, 0, None]), np.exp(q_MK[:, 1, None])
        size_MP = (q_MK[:, 2, None] - alpha_n_M * self.n_P) / alpha_d_M
        b_M = q_MK[:, 3, None] / alpha_d_M
        data_MP = b_M - self.d_P
        both_MP = np.logaddexp(size_MP, data_MP)
        share_MP = expit(size_MP - data_MP)
        slopes_MKP = np.stack(
            [
                -share_MP * self.n_P * alpha_n_M,
                (both_MP - share_MP * size_MP - (1 - share_MP) * b_M) * alpha_d_M,
                share_MP,
                1 - share_MP,
            ],
            axis=1,
        )
        return alpha_d_M * both_MP, slopes_MKP

    def size_share(self, q_MK: np.ndarray) -> np.ndarray:
        """Share of the size term in the bracket, (M, P)."""
        return self.log_model(q_MK)[1][:, 2]

    def residuals(self, q_AK: np.ndarray, rows_A: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weighted log residuals, (A, P), and their Jacobian, (A, K, P)."""
        log_model_AP, slopes_AKP = self.log_model(q_AK)
        return self.root_weight_P * (log_model_AP - self.log_loss_RP[rows_A]), self.root_weight_P * slopes_AKP


@dataclass(frozen=True)
class JointStarts:
    """Where to start from."""

    q_RK: np.ndarray  # every replicate's own best point of the grid
    q_of_grid: np.ndarray  # the data's best q with the exponents held, (G, G, K)
    objective: np.ndarray  # of the data there, (G, G)


def linearised_starts(problem: JointProblem, grid_G: np.ndarray) -> JointStarts:
    """Solves L^(1/alpha_D) = N_c^r·N^-r + D_c/D with r = alpha_N/alpha_D for every pair of exponents: linear in N_c^r and in D_c."""
    num_replicates = len(problem.log_loss_RP)
    best_R = np.full(num_replicates, np.inf)
    q_RK = np.zeros((num_replicates, 4))
    q_of_grid = np.empty((len(grid_G), len(grid_G), 4))
    above_data_RP = problem.log_loss_RP - problem.log_loss_RP[0]
    for j, alpha_d in enumerate(grid_G):
        # Residuals of the powers, divided by those of the data, are 1/alpha_D times those of the logs.
        wanted_RP = problem.root_weight_P * alpha_d * np.exp(above_data_RP / alpha_d)
        for i, alpha_n in enumerate(grid_G):
            here_RK, squares_R = _linear_solution(problem, wanted_RP, alpha_n=alpha_n, alpha_d=alpha_d)
            q_of_grid[i, j] = here_RK[0]
            better_R = squares_R < best_R
            best_R[better_R], q_RK[better_R] = squares_R[better_R], here_RK[better_R]
    residual_MP, _ = problem.residuals(q_of_grid.reshape(-1, 4), np.zeros(len(grid_G) ** 2, dtype=np.int64))
    return JointStarts(q_RK, q_of_grid, np.square(residual_MP).sum(axis=1).reshape(q_of_grid.shape[:2]))


def _linear_solution(problem: JointProblem, wanted_RP: np.ndarray, *, alpha_n: float, alpha_d: float) -> tuple[np.ndarray, np.ndarray]:
    """The best q with these exponents, (R, K), and its sum of squares, (R,)."""
    log_columns_JP = np.stack([-alpha_n / alpha_d * problem.n_P, -problem.d_P]) - problem.log_loss_RP[0] / alpha_d
    highest_J = log_columns_JP.max(axis=1)
    columns_JP = problem.root_weight_P * alpha_d * np.exp(log_columns_JP - highest_J[:, None])
    coef_JR, explained_R = shared_solution(columns_JP @ columns_JP.T, columns_JP @ wanted_RP.T)
    coef_JR = np.maximum(coef_JR, LEAST_SHARE * coef_JR.max(axis=0))
    q_RK = np.empty((len(wanted_RP), 4))
    q_RK[:, :2] = np.log([alpha_n, alpha_d])
    q_RK[:, 2:] = alpha_d * (np.log(coef_JR.T) - highest_J)
    return q_RK, np.square(wanted_RP).sum(axis=1) - explained_R
