"""Coefficients of at least 0: the same as scipy's, one problem at a time."""

import numpy as np
import pytest
from scipy.optimize import nnls

from hf_ctxscale.analysis.laws.nonnegative import nonnegative_solution, shared_solution


@pytest.mark.parametrize("num_columns", [2, 3])
def test_every_problem_of_a_batch_matches_scipys_nnls(num_columns: int) -> None:
    rng = np.random.default_rng(num_columns)
    columns_MJP = rng.normal(size=(300, num_columns, 8)) * np.array([1, 1e3, 1e-3])[:num_columns, None]
    data_MP = rng.normal(size=(300, 8))
    gram_MJJ = columns_MJP @ columns_MJP.transpose(0, 2, 1)
    coef_MJ = nonnegative_solution(gram_MJJ, (columns_MJP @ data_MP[:, :, None])[:, :, 0])
    at_zero = set()
    for columns_JP, data_P, coef_J in zip(columns_MJP, data_MP, coef_MJ, strict=True):
        assert coef_J == pytest.approx(nnls(columns_JP.T, data_P)[0], rel=1e-8, abs=1e-12)
        at_zero.add(int((coef_J == 0).sum()))
    assert at_zero == set(range(num_columns + 1))


@pytest.mark.parametrize("num_columns", [2, 3])
def test_many_data_on_the_same_columns_match_scipys_nnls(num_columns: int) -> None:
    rng = np.random.default_rng(num_columns)
    columns_JP, data_RP = rng.normal(size=(num_columns, 8)), rng.normal(size=(300, 8))
    coef_JR, explained_R = shared_solution(columns_JP @ columns_JP.T, columns_JP @ data_RP.T)
    for data_P, coef_J, explained in zip(data_RP, coef_JR.T, explained_R, strict=True):
        slow_J, left = nnls(columns_JP.T, data_P)
        assert coef_J == pytest.approx(slow_J, rel=1e-8, abs=1e-12)
        assert explained == pytest.approx(data_P @ data_P - left**2, rel=1e-8, abs=1e-12)


def test_two_columns_that_are_alike_share_what_one_would_explain() -> None:
    columns_JP = np.ones((2, 4))
    coef_JR, explained_R = shared_solution(columns_JP @ columns_JP.T, columns_JP @ np.full((4, 1), 3.0))
    assert coef_JR.sum() == pytest.approx(3)
    assert explained_R == pytest.approx([36])
    assert nonnegative_solution((columns_JP @ columns_JP.T)[None], np.array([[12.0, 12.0]])).sum() == pytest.approx(3)
