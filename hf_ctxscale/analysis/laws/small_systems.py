"""Many small linear systems at once: one or two unknowns in closed form, where LAPACK's calls would cost more than their work.

Letters: M systems, J unknowns, K right-hand sides.
"""

import numpy as np


def solve_many(matrix_MJJ: np.ndarray, right_MJK: np.ndarray) -> np.ndarray:
    """Solutions, (M, J, K), of symmetric systems."""
    if matrix_MJJ.shape[-1] == 1:
        return right_MJK / matrix_MJJ
    if matrix_MJJ.shape[-1] == 2:
        first_M, shared_M, second_M = (matrix_MJJ[:, i, j, None] for i, j in ((0, 0), (0, 1), (1, 1)))
        solution_MJK = np.empty(np.broadcast_shapes((len(matrix_MJJ), 2, 1), right_MJK.shape))
        solution_MJK[:, 0] = second_M * right_MJK[:, 0] - shared_M * right_MJK[:, 1]
        solution_MJK[:, 1] = first_M * right_MJK[:, 1] - shared_M * right_MJK[:, 0]
        solution_MJK /= (first_M * second_M - shared_M**2)[:, None]
        return solution_MJK
    return np.linalg.solve(matrix_MJJ, right_MJK)
