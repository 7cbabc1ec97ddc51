"""holm: p values adjusted for the number of questions put to the same data."""

from collections.abc import Sequence

import numpy as np


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Holm's adjusted p values, in the order given: at most as large as Bonferroni's, and under any dependence between the questions.

    Where each adjusted value of at most 0.05 is called a finding, one false finding or more occurs with probability 0.05 at most.

    Source:
        Holm 1979, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6.
    """
    p_M = np.asarray(p_values, dtype=np.float64)
    assert ((p_M >= 0) & (p_M <= 1)).all(), p_values
    order = np.argsort(p_M, kind="stable")
    adjusted_M = np.empty_like(p_M)
    adjusted_M[order] = np.minimum(np.maximum.accumulate(p_M[order] * np.arange(len(p_M), 0, -1)), 1.0)
    return tuple(adjusted_M.tolist())
