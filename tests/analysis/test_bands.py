"""Bands that hold for many statistics at once: known critical values, statistics that do not vary, and the truth."""

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from hf_ctxscale.analysis import bands
from hf_ctxscale.analysis.bands import simultaneous_band
from hf_ctxscale.analysis.estimates import jackknife, leave_one_out

# Three simulation errors (20,000 draws) of the confidence that a critical value stands for.
SIMULATED = 3 * math.sqrt(0.95 * 0.05 / 20_000)


def replicates(values_DW: np.ndarray) -> np.ndarray:
    """Means over documents, of all and without each one."""
    return leave_one_out(values_DW) / leave_one_out(np.ones((len(values_DW), 1)))


def critical(values_DW: np.ndarray, **options: Any) -> float:
    """Half the width of the first statistic's interval, in standard errors."""
    band = simultaneous_band(replicates(values_DW), **options)
    return float((band.high_W[0] - band.value_W[0]) / band.std_error_W[0])


def t_confidence(value: float, freedom: float) -> float:
    """How often one t statistic lies within plus and minus this value."""
    return float(1 - 2 * stats.t.sf(value, freedom))


@pytest.mark.parametrize("num_documents", [2, 4, 12, 60])
def test_of_one_statistic_it_is_the_jackknife_interval(num_documents: int) -> None:
    values_RW = replicates(np.random.default_rng(0).normal(size=(num_documents, 1)))
    band, single = simultaneous_band(values_RW), jackknife(values_RW[:, 0])
    assert (band.value_W[0], band.std_error_W[0]) == (single.value, single.std_error)
    value = float((band.high_W[0] - band.value_W[0]) / single.std_error)
    assert t_confidence(value, num_documents - 1) == pytest.approx(0.95, abs=SIMULATED)
    assert band.low_W[0] == pytest.approx(2 * single.value - band.high_W[0])


def test_statistics_that_move_together_cost_no_more_than_one() -> None:
    values_D1 = np.random.default_rng(0).normal(size=(15, 1))
    assert t_confidence(critical(values_D1 * np.array([1.0, 2.0, -3.0])), 14) == pytest.approx(0.95, abs=SIMULATED)


def test_independent_statistics_of_many_documents_need_sidaks_value() -> None:
    values_DW = np.random.default_rng(0).normal(size=(4000, 10))
    assert t_confidence(critical(values_DW), 3999) ** 10 == pytest.approx(0.95, abs=SIMULATED)
    assert stats.norm.cdf(critical(values_DW, sides="upper", confidence=0.975)) ** 10 == pytest.approx(0.975, abs=SIMULATED)


def test_correlated_statistics_of_many_documents_need_the_value_of_the_multivariate_normal() -> None:
    rng = np.random.default_rng(0)
    values_DW = rng.normal(size=(4000, 1)) + rng.normal(size=(4000, 3))
    value = np.full(3, critical(values_DW))
    held = stats.multivariate_normal(cov=np.full((3, 3), 0.5) + 0.5 * np.eye(3)).cdf(value, lower_limit=-value)
    assert held == pytest.approx(0.95, abs=SIMULATED)


def test_one_sided_limits_are_closer_and_open_on_the_other_side() -> None:
    values_RW = replicates(np.random.default_rng(0).normal(size=(25, 6)))
    both, lower, upper = (simultaneous_band(values_RW, sides=sides) for sides in ("both", "lower", "upper"))
    assert (lower.low_W > both.low_W).all()
    assert (upper.high_W < both.high_W).all()
    assert (lower.high_W == math.inf).all()
    assert (upper.low_W == -math.inf).all()
    assert upper.high_W - upper.value_W == pytest.approx(lower.value_W - lower.low_W)


def test_what_no_document_moves_keeps_its_value_and_costs_nothing() -> None:
    values_RW = replicates(np.random.default_rng(0).normal(size=(20, 4)))
    # Rounding is no movement: exactly zero, and a constant that was divided and summed up.
    still_RW = np.column_stack([np.zeros(21), 2.7 + 1e-16 * np.random.default_rng(1).normal(size=21)])
    alone, beside = simultaneous_band(values_RW), simultaneous_band(np.column_stack([values_RW, still_RW]))
    assert (beside.high_W[:4] == alone.high_W).all()
    assert beside.low_W[4:] == pytest.approx([0.0, 2.7], abs=1e-15)
    assert (beside.low_W[4:] == beside.high_W[4:]).all()
    assert beside.reason is None
    nothing_moves = simultaneous_band(np.zeros((9, 2)))
    assert (nothing_moves.low_W.tolist(), nothing_moves.high_W.tolist()) == ([0.0, 0.0], [0.0, 0.0])


def test_what_rests_on_one_document_has_no_limits_and_costs_nothing() -> None:
    values_RW = replicates(np.random.default_rng(0).normal(size=(20, 3)))
    lone_R = np.where(np.arange(21) == 5, math.nan, 1.0)
    alone, beside = simultaneous_band(values_RW), simultaneous_band(np.column_stack([values_RW, lone_R]))
    assert (beside.high_W[:3] == alone.high_W).all()
    assert (beside.value_W[3], math.isnan(beside.low_W[3]), math.isnan(beside.high_W[3])) == (1.0, True, True)
    assert beside.reason == "some values rest on one document or none"


@pytest.mark.parametrize(("num_documents", "words"), [(0, "no document"), (1, "one document")])
def test_fewer_than_two_documents_have_no_limits(num_documents: int, words: str) -> None:
    band = simultaneous_band(np.ones((1 + num_documents, 3)))
    assert band.value_W.tolist() == [1.0, 1.0, 1.0]
    assert np.isnan([band.low_W, band.high_W, band.std_error_W]).all()
    assert band.reason == f"{words}: no interval is possible"


def test_documents_of_unequal_weight_widen_it() -> None:
    values_RW = replicates(np.random.default_rng(0).normal(size=(20, 5)))
    equal, unequal = (simultaneous_band(values_RW, weights_D=weights_D) for weights_D in (np.full(20, 3), np.arange(1, 21) ** 2))
    assert (equal.high_W == simultaneous_band(values_RW).high_W).all()
    assert (unequal.high_W > equal.high_W).all()


def test_the_same_data_give_the_same_band() -> None:
    values_RW = replicates(np.random.default_rng(0).normal(size=(10, 40)))  # more statistics than documents
    assert (simultaneous_band(values_RW).low_W == simultaneous_band(values_RW).low_W).all()


def test_bands_cover_all_truths_as_often_as_they_claim(monkeypatch: pytest.MonkeyPatch) -> None:
    rng, num = np.random.default_rng(0), 300
    monkeypatch.setattr(bands, "NUM_DRAWS", 4_000)  # 0.3 points of simulation error will do
    covered = 0
    for _ in range(num):
        walks_DW = rng.normal(size=(25, 1)) + rng.normal(size=(25, 8)).cumsum(axis=1)
        band = simultaneous_band(replicates(walks_DW), confidence=0.95)
        covered += bool(((band.low_W <= 0) & (band.high_W >= 0)).all())
    assert abs(covered / num - 0.95) < 3 * math.sqrt(0.95 * 0.05 / num)
