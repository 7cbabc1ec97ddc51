"""Least squares with coefficients of at least 0 for many small problems at once: every set of coefficients that may be above 0 is tried.

Letters: M problems, J coefficients.
"""

from itertools import combinations

import numpy as np

from hf_ctxscale.analysis.laws.small_systems import solve_many

RIDGE = 16 * np.finfo(np.float64).eps  # of the columns' squared length: columns that are alike to rounding give a solution, not an error


def nonnegative_solution(gram_MJJ: np.ndarray, onto_MJ: np.ndarray) -> np.ndarray:
    """Coefficients, (M, J), that minimise |y - sum of c_j·column_j|² with every c_j >= 0.

    The minimum over coefficients of at least 0 is the best of the unbounded minima over subsets of the columns whose coefficients all came
    out positive; at most 2^J - 1 small systems.

    Args:
        gram_MJJ: products of the columns with each other.
        onto_MJ: products of the columns with the data.
    """
    lengths_MJ = np.sqrt(np.einsum("mjj->mj", gram_MJJ))
    gram_MJJ = gram_MJJ / (lengths_MJ[:, :, None] * lengths_MJ[:, None, :]) + RIDGE * np.eye(gram_MJJ.shape[-1])
    onto_MJ = onto_MJ / lengths_MJ
    num_columns = onto_MJ.shape[1]
    coef_MJ = solve_many(gram_MJJ, onto_MJ[:, :, None])[:, :, 0]
    (bounded_A,) = np.nonzero((coef_MJ < 0).any(axis=1))
    if len(bounded_A):
        best_A = np.zeros(len(bounded_A))  # no column at all explains nothing
        best_AJ = np.zeros((len(bounded_A), num_columns))
        for columns in subsets(num_columns)[:-1]:
            onto_AS = onto_MJ[bounded_A][:, columns]
            coef_AS = solve_many(gram_MJJ[bounded_A][:, columns][:, :, columns], onto_AS[:, :, None])[:, :, 0]
            explained_A = np.where((coef_AS >= 0).all(axis=1), (coef_AS * onto_AS).sum(axis=1), -np.inf)
            better_A = explained_A > best_A
            best_A = np.where(better_A, explained_A, best_A)
            spread_AJ = np.zeros_like(best_AJ)
            spread_AJ[:, columns] = coef_AS
            best_AJ = np.where(better_A[:, None], spread_AJ, best_AJ)
        coef_MJ[bounded_A] = best_AJ
    return coef_MJ / lengths_MJ


def shared_solution(gram_JJ: np.ndarray, onto_JR: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same for many data on the same columns: coefficients, (J, R), and by how much they lower the sum of squares, (R,).

    Args:
        gram_JJ: products of the columns with each other.
        onto_JR: products of the columns with each of the data.
    """
    lengths_J = np.sqrt(gram_JJ.diagonal())
    gram_JJ = gram_JJ / np.outer(lengths_J, lengths_J) + RIDGE * np.eye(len(gram_JJ))
    onto_JR = onto_JR / lengths_J[:, None]
    coef_JR = np.linalg.solve(gram_JJ, onto_JR)
    inside_R = (coef_JR >= 0).all(axis=0)
    explained_R = np.where(inside_R, (coef_JR * onto_JR).sum(axis=0), 0.0)
    if inside_R.all():
        return coef_JR / lengths_J[:, None], explained_R
    coef_JR = np.where(inside_R, coef_JR, 0.0)
    for columns in subsets(len(gram_JJ))[:-1]:
        coef_SR = np.linalg.solve(gram_JJ[np.ix_(columns, columns)], onto_JR[columns])
        lowered_R = np.where(~inside_R & (coef_SR >= 0).all(axis=0), (coef_SR * onto_JR[columns]).sum(axis=0), 0.0)
        better_R = lowered_R > explained_R
        explained_R = np.where(better_R, lowered_R, explained_R)
        spread_JR = np.zeros_like(coef_JR)
        spread_JR[columns] = coef_SR
        coef_JR = np.where(better_R, spread_JR, coef_JR)
    return coef_JR / lengths_J[:, None], explained_R


def subsets(num_columns: int) -> list[list[int]]:
    """Every non-empty set of columns, smallest first."""
    return [list(chosen) for size in range(1, num_columns + 1) for chosen in combinations(range(num_columns), size)]
