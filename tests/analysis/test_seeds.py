"""Intervals over documents and seeds: their limits where one of the two does not vary, and the truth."""

import math

import numpy as np
import pytest
from scipy import stats

from hf_ctxscale.analysis.estimates import jackknife, leave_one_out
from hf_ctxscale.analysis.seeds import across_seeds


def replicates(loss_SD: np.ndarray) -> np.ndarray:
    """Means over documents of every seed, of all and without each one, (S, 1 + D)."""
    num_documents = loss_SD.shape[1]
    return (leave_one_out(loss_SD.T) / leave_one_out(np.ones((num_documents, 1)))).T


def test_seeds_that_agree_leave_the_interval_over_documents() -> None:
    one_R = replicates(np.random.default_rng(0).normal(size=(1, 12)))[0]
    assert across_seeds(np.tile(one_R, (3, 1)), confidence=0.9) == jackknife(one_R, confidence=0.9)


def test_documents_that_agree_leave_the_t_interval_over_seeds() -> None:
    seeds_S = np.array([3.0, 3.1, 2.8])
    result = across_seeds(np.tile(seeds_S[:, None], (1, 11)))
    assert (result.low, result.high) == pytest.approx(stats.t.interval(0.95, 2, seeds_S.mean(), seeds_S.std(ddof=1) / math.sqrt(3)))
    assert result.num_documents == 10


def test_both_variances_add_up_with_satterthwaites_degrees_of_freedom() -> None:
    rng = np.random.default_rng(0)
    values_SR = replicates(rng.normal(size=(1, 25)) + rng.normal(0, 0.3, (4, 1)))
    weights_D = rng.integers(1, 9, 25)
    documents = jackknife(values_SR.mean(axis=0)).std_error ** 2
    seeds = values_SR[:, 0].var(ddof=1) / 4
    freedom_documents = weights_D.sum() ** 2 / (weights_D**2).sum() - 1
    freedom = (documents + seeds) ** 2 / (documents**2 / freedom_documents + seeds**2 / 3)
    result = across_seeds(values_SR, weights_D=weights_D)
    assert result.std_error == pytest.approx(math.sqrt(documents + seeds))
    assert result.high - result.value == pytest.approx(stats.t.ppf(0.975, freedom) * result.std_error)


def test_one_seed_gives_a_value_and_no_interval() -> None:
    values_SR = replicates(np.random.default_rng(0).normal(size=(1, 12)))
    result = across_seeds(values_SR)
    assert result.value == values_SR[0, 0]
    assert not result.has_interval
    assert result.reason == "one seed: how much seeds differ is not known"


def test_one_document_gives_no_interval_either() -> None:
    result = across_seeds(np.array([[3.0, math.nan], [3.1, math.nan]]))
    assert result.value == pytest.approx(3.05)
    assert (result.has_interval, result.reason) == (False, "one document: no interval is possible")


def test_intervals_cover_what_the_recipe_gives_where_those_over_documents_do_not() -> None:
    rng, num = np.random.default_rng(0), 1000
    across = conditional = 0
    for _ in range(num):
        values_SR = replicates(rng.normal(size=(1, 30)) + rng.normal(0, 0.3, (3, 1)))
        recipe, trained = across_seeds(values_SR), jackknife(values_SR.mean(axis=0))
        across += recipe.low <= 0 <= recipe.high
        conditional += trained.low <= 0 <= trained.high
    assert abs(across / num - 0.95) < 0.025
    assert conditional / num < 0.9
