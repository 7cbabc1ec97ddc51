"""Separable laws, f = E + sum of C_k·basis_k(gamma_k) with E, C_k >= 0, by variable projection: exponents are searched, the rest follows.

Minimised is the sum over points of weight·((L - f)/L)². Denominators and weights are those of the data for every replicate.
Letters: R = 1 + B replicates (row 0 is the data), P points, K exponents, J = 1 + K coefficients, G exponents of the grid, S starts.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np

from hf_ctxscale.analysis.laws.bases import Basis
from hf_ctxscale.analysis.laws.levenberg import Minima, minimise
from hf_ctxscale.analysis.laws.nonnegative import nonnegative_solution, shared_solution
from hf_ctxscale.analysis.laws.small_systems import solve_many
from hf_ctxscale.analysis.laws.weighting import NEGLIGIBLE

SPREAD = (0.2, 0.5, 0.8)  # of the range of log exponents


@dataclass(frozen=True)
class SeparableProblem:
    """The data of a fit, every row divided by the errors that the points are weighed by."""

    scaled_RP: np.ndarray  # losses·scale
    scale_P: np.ndarray  # sqrt(weight)/loss of the data
    bases: tuple[Basis, ...]

    @property
    def negligible(self) -> float:
        """A sum of squares that is rounding."""
        return NEGLIGIBLE * len(self.scale_P)

    def columns(self, gamma_MK: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scaled columns of E and of every basis, (M, J, P), and derivatives of the latter by their log exponents, (M, K, P)."""
        columns_MJP = np.empty((len(gamma_MK), 1 + len(self.bases), len(self.scale_P)))
        slopes_MKP = np.empty((len(gamma_MK), len(self.bases), len(self.scale_P)))
        columns_MJP[:, 0] = self.scale_P
        for k, basis in enumerate(self.bases):
            values_MP, derivative_MP = basis(gamma_MK[:, k])
            np.multiply(values_MP, self.scale_P, out=columns_MJP[:, 1 + k])
            np.multiply(derivative_MP, gamma_MK[:, k, None] * self.scale_P, out=slopes_MKP[:, k])
        return columns_MJP, slopes_MKP

    def coefficients(self, gamma_MK: np.ndarray, rows_M: np.ndarray) -> np.ndarray:
        """E and every C_k, (M, J), that are best for these exponents and these rows of the losses."""
        columns_MJP, _ = self.columns(gamma_MK)
        return _best_coefficients(columns_MJP, self.scaled_RP[rows_M])[0]

    def projected(self, log_gamma_MK: np.ndarray, rows_M: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Residuals, (M, P), with the best coefficients for these exponents, and their Jacobian by log exponents, (M, K, P).

        Source:
            Kaufman 1975: the part of the Jacobian that Golub & Pereyra 1973 add is left out; the gradient is exact all the same.
        """
        columns_MJP, slopes_MKP = self.columns(np.exp(log_gamma_MK))
        coef_MJ, gram_MJJ = _best_coefficients(columns_MJP, self.scaled_RP[rows_M])
        residual_MP = self.scaled_RP[rows_M] - (coef_MJ[:, None, :] @ columns_MJP)[:, 0]
        slopes_MKP *= -coef_MJ[:, 1:, None]
        used_MJ = coef_MJ > 0
        used_MJJ = used_MJ[:, :, None] & used_MJ[:, None, :]
        gram_MJJ = np.where(used_MJJ, gram_MJJ, 0.0)
        np.einsum("mjj->mj", gram_MJJ)[...] += ~used_MJ
        onto_MJK = np.where(used_MJ[:, :, None], columns_MJP @ slopes_MKP.transpose(0, 2, 1), 0.0)
        slopes_MKP -= solve_many(gram_MJJ, onto_MJK).transpose(0, 2, 1) @ columns_MJP
        return residual_MP, slopes_MKP


def _best_coefficients(columns_MJP: np.ndarray, scaled_MP: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    gram_MJJ = columns_MJP @ columns_MJP.transpose(0, 2, 1)
    return nonnegative_solution(gram_MJJ, (columns_MJP @ scaled_MP[:, :, None])[:, :, 0]), gram_MJJ


@dataclass(frozen=True)
class GridSearch:
    """The best exponents of a grid for every replicate, and how each point of the grid does on the data."""

    best_RK: np.ndarray  # indices into the grid
    objective: np.ndarray  # of the data, (G,) * K


def search_grid(problem: SeparableProblem, grid_G: np.ndarray) -> GridSearch:
    """Tries every exponent, or pair of them: its columns are the same for all replicates, so each try is a few small products."""
    num_exponents, num_points = len(problem.bases), len(problem.scale_P)
    columns_GJP, _ = problem.columns(np.repeat(grid_G[:, None], num_exponents, axis=1))
    stacked = np.concatenate([problem.scale_P[None], *(columns_GJP[:, 1 + k] for k in range(num_exponents))])
    stacked /= np.linalg.norm(stacked, axis=1, keepdims=True)
    gram, onto = stacked @ stacked.T, stacked @ problem.scaled_RP.T
    total_R = np.square(problem.scaled_RP).sum(axis=1)
    objective = np.empty((len(grid_G),) * num_exponents)
    best_R = np.full(len(total_R), -np.inf)
    best_RK = np.zeros((len(total_R), num_exponents), dtype=np.int64)
    for index in product(range(len(grid_G)), repeat=num_exponents):
        chosen = np.array([0, *(1 + k * len(grid_G) + i for k, i in enumerate(index))])
        _, explained_R = shared_solution(gram[np.ix_(chosen, chosen)], onto[chosen])
        objective[index] = total_R[0] - explained_R[0]
        better_R = explained_R > best_R
        best_R[better_R] = explained_R[better_R]
        best_RK[better_R] = index
    # Differences of large numbers: below this they are rounding.
    return GridSearch(best_RK, np.maximum(objective, num_points * np.finfo(np.float64).eps))


def descend(
    problem: SeparableProblem, log_gamma_MK: np.ndarray, *, rows_M: np.ndarray, grid_G: np.ndarray, free_MK: np.ndarray | None = None
) -> Minima:
    """From these log exponents, for these rows of the losses, down to the next minimum within the grid's range."""
    ends = np.log(grid_G[[0, -1]])
    num_exponents = len(problem.bases)
    return minimise(
        lambda log_AK, going_A: problem.projected(log_AK, rows_M[going_A]),
        log_gamma_MK,
        low_K=np.full(num_exponents, ends[0]),
        high_K=np.full(num_exponents, ends[1]),
        negligible=problem.negligible,
        free_MK=free_MK,
    )


def local_minima(objective: np.ndarray) -> np.ndarray:
    """Indices, (S, K), of the points of a grid that no neighbour is below, diagonal ones included."""
    padded = np.pad(objective, 1, constant_values=np.inf)
    is_least = np.ones(objective.shape, dtype=bool)
    for shift in product((0, 1, 2), repeat=objective.ndim):
        window = tuple(slice(first, first + size) for first, size in zip(shift, objective.shape, strict=True))
        is_least &= objective <= padded[window]
    return np.argwhere(is_least)


def spread_over(shape: tuple[int, ...]) -> np.ndarray:
    """Indices, (S, K), of points spread over a grid: starts that owe nothing to its minima."""
    return np.array(list(product(*((np.array(SPREAD) * (size - 1)).round().astype(np.int64) for size in shape))))
