"""Shared resamples and their percentiles."""

import math

import numpy as np
import pytest
from scipy import stats

from hf_ctxscale.analysis.bootstrap import percentile_interval, shared_resamples


def test_every_resample_draws_as_many_documents_as_there_are() -> None:
    resamples_ND = shared_resamples(30, num_resamples=500)
    assert resamples_ND.shape == (500, 30)
    assert (resamples_ND.sum(axis=1) == 30).all()
    assert resamples_ND.mean(axis=0) == pytest.approx(np.ones(30), abs=0.2)
    # A document is left out of a resample with probability (1 - 1/D)^D.
    assert (resamples_ND == 0).mean() == pytest.approx((29 / 30) ** 30, abs=0.01)


def test_resamples_are_those_of_the_seed() -> None:
    assert (shared_resamples(9, seed=4) == shared_resamples(9, seed=4)).all()
    assert (shared_resamples(9, seed=4) != shared_resamples(9, seed=5)).any()


@pytest.mark.parametrize("num_documents", [8, 26, 200])
def test_of_a_mean_it_is_the_t_interval(num_documents: int) -> None:
    values_D = np.random.default_rng(0).normal(size=num_documents)
    means_N = shared_resamples(num_documents, num_resamples=10_000) @ values_D / num_documents
    expected = stats.t.interval(0.90, num_documents - 1, values_D.mean(), values_D.std(ddof=1) / math.sqrt(num_documents))
    half = (expected[1] - expected[0]) / 2
    got = percentile_interval(means_N, confidence=0.90, degrees_of_freedom=num_documents - 1)
    assert got == pytest.approx(expected, abs=0.06 * half)


def test_fewer_documents_give_percentiles_further_out() -> None:
    values_N = np.random.default_rng(0).normal(size=5000)
    few, many = (percentile_interval(values_N, degrees_of_freedom=freedom) for freedom in (9, 900))
    assert few[0] < many[0] < many[1] < few[1]


def test_enough_infinite_values_leave_the_interval_without_that_end() -> None:
    values_N = np.arange(1000.0)
    values_N[-100:] = math.inf
    low, high = percentile_interval(values_N, degrees_of_freedom=50)
    assert (low < 30, high) == (True, math.inf)
    values_N[:100] = 0.0
    assert percentile_interval(values_N[:900], degrees_of_freedom=50)[0] == 0.0
