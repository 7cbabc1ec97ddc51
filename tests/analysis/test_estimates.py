"""The delete-one-document interval: against an explicit loop, and against the truth."""

import math
import statistics

import numpy as np
import pytest
from scipy import stats

from hf_ctxscale.analysis.estimates import degrees_of_freedom, effective_number, jackknife, leave_one_out
from hf_ctxscale.analysis.positions import PositionLosses, mean_loss


def ratio_losses(rng: np.random.Generator, num_documents: int) -> PositionLosses:
    """Documents of unequal length, longer ones easier; a mean of 3.0 - 0.02 · E[n²]/E[n] over their tokens."""
    num_blocks = rng.integers(1, 9, num_documents)
    level_D = 3.0 - 0.02 * num_blocks + rng.normal(0, 0.3, num_documents)
    tokens = num_blocks[:, None]
    return PositionLosses(tuple(map(str, range(num_documents))), num_blocks, tokens, tokens, tokens * level_D[:, None])


def test_leave_one_out_is_the_sum_without_that_row() -> None:
    sums = np.random.default_rng(0).gamma(2.0, size=(5, 3))
    result = leave_one_out(sums)
    assert result[0] == pytest.approx(sums.sum(axis=0))
    for d in range(5):
        assert result[1 + d] == pytest.approx(np.delete(sums, d, axis=0).sum(axis=0))


def test_jackknife_matches_an_explicit_leave_one_out_of_a_ratio() -> None:
    losses = ratio_losses(np.random.default_rng(0), 12)
    sums, counts = losses.loss_sum_nats[:, 0].tolist(), losses.num_tokens[:, 0].tolist()
    left = []
    for d in range(12):
        others = [i for i in range(12) if i != d]
        left.append(sum(sums[i] for i in others) / sum(counts[i] for i in others))
    std_error = math.sqrt(11 / 12 * sum((value - statistics.fmean(left)) ** 2 for value in left))
    half = stats.t.ppf(0.95, 11) * std_error
    result = jackknife(np.array([sum(sums) / sum(counts), *left]), confidence=0.90)
    assert result.value == pytest.approx(mean_loss(losses).value)
    assert result.std_error == pytest.approx(std_error)
    assert mean_loss(losses).std_error == pytest.approx(std_error)
    assert (result.low, result.high) == pytest.approx((result.value - half, result.value + half))
    assert (result.confidence, result.num_documents, result.reason) == (0.90, 12, None)


def test_of_a_plain_mean_it_is_the_t_interval() -> None:
    values = np.random.default_rng(1).normal(size=9)
    replicates = np.array([values.mean(), *((values.sum() - v) / 8 for v in values)])
    result = jackknife(replicates)
    expected = stats.t.interval(0.95, 8, values.mean(), values.std(ddof=1) / 3)
    assert (result.low, result.high) == pytest.approx(expected)


def test_documents_of_unequal_weight_count_as_fewer() -> None:
    assert effective_number(np.full(7, 3)) == pytest.approx(7)
    assert effective_number(np.array([1, 1, 2])) == pytest.approx(16 / 6)
    assert effective_number(np.array([5, 0, 0])) == pytest.approx(1)


def test_degrees_of_freedom_follow_the_weights_and_never_fall_below_one() -> None:
    assert degrees_of_freedom(20) == 19
    assert degrees_of_freedom(20, weights_D=np.full(20, 8)) == pytest.approx(19)
    assert degrees_of_freedom(3, weights_D=np.array([1, 1, 2])) == pytest.approx(16 / 6 - 1)
    assert degrees_of_freedom(3, weights_D=np.array([1000, 1, 1])) == 1


def test_weights_widen_the_interval_and_leave_value_and_standard_error() -> None:
    losses = ratio_losses(np.random.default_rng(2), 15)
    weights = losses.num_tokens[:, 0]
    values = leave_one_out(losses.loss_sum_nats)[:, 0] / leave_one_out(losses.num_tokens)[:, 0]
    plain, weighted = jackknife(values, confidence=0.9), jackknife(values, confidence=0.9, weights_D=weights)
    assert (weighted.value, weighted.std_error) == (plain.value, plain.std_error)
    freedom = float(weights.sum() ** 2 / (weights**2).sum()) - 1
    assert freedom < 14
    assert weighted.high - weighted.value == pytest.approx(stats.t.ppf(0.95, freedom) * plain.std_error)


def test_one_document_gives_a_value_and_no_interval() -> None:
    losses = ratio_losses(np.random.default_rng(0), 1)
    result = mean_loss(losses)
    assert result.value == pytest.approx(float(losses.loss_sum_nats[0, 0] / losses.num_tokens[0, 0]))
    assert math.isnan(result.low)
    assert math.isnan(result.high)
    assert math.isnan(result.std_error)
    assert not result.has_interval
    assert result.reason == "one document: no interval is possible"


def test_a_value_that_rests_on_one_document_has_no_interval() -> None:
    result = jackknife(np.array([1.0, math.nan, 1.0, 1.0]))
    assert result.value == 1.0
    assert not result.has_interval
    assert result.reason == "the value rests on one document alone"


def test_intervals_cover_the_truth_as_often_as_they_claim() -> None:
    sizes = np.arange(1, 9)
    truth = 3.0 - 0.02 * float((sizes**2).sum() / sizes.sum())
    rng = np.random.default_rng(0)
    num = 600
    estimates = [mean_loss(ratio_losses(rng, 30)) for _ in range(num)]
    covered = sum(e.low <= truth <= e.high for e in estimates) / num
    assert abs(covered - 0.95) < 3 * math.sqrt(0.95 * 0.05 / num)
