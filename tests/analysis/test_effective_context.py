"""Effective context and its ratio: the definition on known curves, a slow loop, limits, and what cannot be measured."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import pytest

from hf_ctxscale.analysis.bands import simultaneous_band
from hf_ctxscale.analysis.bootstrap import percentile_interval, shared_resamples
from hf_ctxscale.analysis.effective_context import EffectiveContext, context_ratio, effective_context
from hf_ctxscale.analysis.estimates import degrees_of_freedom
from hf_ctxscale.analysis.positions import PositionLosses, window_means
from hf_ctxscale.study import UserError

CUTS = (1, 2, 4, 8, 16, 32, 64)


def ablation(excess_K: Sequence[float], *, num_documents: int = 40, noise_sd: float = 0.0, seed: int = 0) -> PositionLosses:
    """Documents of unequal numbers of targets, each with a level of its own, plus noise at every cut but the last."""
    rng = np.random.default_rng(seed)
    excess_DK = np.tile(np.asarray(excess_K, dtype=np.float64), (num_documents, 1))
    tokens_DK = np.repeat(32 * rng.integers(1, 6, num_documents)[:, None], excess_DK.shape[1], axis=1)
    excess_DK[:, :-1] += rng.normal(0, noise_sd, (num_documents, excess_DK.shape[1] - 1))
    loss_DK = 3 + rng.normal(0, 0.5, (num_documents, 1)) + excess_DK
    documents = tuple(f"doc-{d}" for d in range(num_documents))
    return PositionLosses(documents, np.ones(num_documents, np.int64), tokens_DK, 3 * tokens_DK, tokens_DK * loss_DK)


def until(reach_tokens: float) -> np.ndarray:
    """0.1 nats less with every doubling of the context until ``reach_tokens``; 0.02 nats are left a fifth of an octave before."""
    return 0.1 * np.maximum(np.log2(reach_tokens / np.array(CUTS)), 0.0)


def slow_reach(excess_K: Sequence[float], *, epsilon_nats: float) -> float:
    """The smallest of many k such that for every larger one the curve stays within epsilon."""
    grid = np.exp(np.linspace(0, math.log(CUTS[-1]), 30_001))
    above = np.interp(np.log(grid), np.log(CUTS), excess_K) > epsilon_nats
    return float(grid[np.flatnonzero(above)[-1] + 1]) if above.any() else 1.0


def test_the_curve_is_interpolated_on_the_log_scale_where_it_crosses() -> None:
    assert effective_context(ablation([0.3, 0.2, 0.04, 0.0, 0.0, 0.0, 0.0]), cuts=CUTS).tokens == pytest.approx(4 * 2**0.5)
    assert effective_context(ablation(until(16)), cuts=CUTS).tokens == pytest.approx(16 * 2**-0.2)
    assert effective_context(ablation(until(16)), cuts=CUTS, epsilon_nats=0.05).tokens == pytest.approx(16 * 2**-0.5)


def test_every_larger_context_has_to_stay_within_epsilon() -> None:
    result = effective_context(ablation([0.3, 0.0, 0.0, 0.04, 0.0, 0.0, 0.0]), cuts=CUTS)
    assert result.tokens == pytest.approx(8 * 2**0.5)


def test_a_shorter_context_that_does_better_is_within_epsilon() -> None:
    result = effective_context(ablation([0.1, 0.0, -0.3, -0.3, -0.3, -0.1, 0.0]), cuts=CUTS)
    assert result.tokens == pytest.approx(2**0.8)
    assert not result.censored


def test_a_model_that_gains_nothing_needs_one_token() -> None:
    result = effective_context(ablation([0.019] * 6 + [0.0]), cuts=CUTS)
    assert (result.tokens, result.low, result.high, result.censored) == (1.0, 1.0, 1.0, False)


def test_a_model_that_still_gains_at_the_end_is_censored_at_the_whole_context() -> None:
    result = effective_context(ablation([0.5, 0.4, 0.3, 0.2, 0.1, 0.03, 0.0], noise_sd=0.01), cuts=CUTS)
    assert (result.tokens, result.high, result.censored, result.high_censored) == (64.0, 64.0, True, True)
    assert result.low == 32.0
    assert result.context_tokens == 64


@pytest.mark.parametrize("seed", range(8))
def test_values_match_a_plain_search(seed: int) -> None:
    rng = np.random.default_rng(seed)
    excess_K = np.append(rng.normal(0.02, 0.03, 5), [0.01, 0.0])
    assert effective_context(ablation(excess_K), cuts=CUTS).tokens == pytest.approx(slow_reach(excess_K, epsilon_nats=0.02), rel=1e-3)


def test_limits_come_from_simultaneous_one_sided_bounds() -> None:
    losses = ablation(until(16), noise_sd=0.03, seed=1)
    means_RK = window_means(losses, [(column, column) for column in range(1, 8)])
    excess_RK, weights_D = means_RK - means_RK[:, -1:], losses.num_tokens[:, 0]
    lower = simultaneous_band(excess_RK, confidence=0.975, sides="lower", weights_D=weights_D).low_W
    upper = simultaneous_band(excess_RK, confidence=0.975, sides="upper", weights_D=weights_D).high_W
    result = effective_context(losses, cuts=CUTS)
    assert result.low == max(k for k, low in zip(CUTS, lower, strict=True) if low > 0.02)
    assert result.high == pytest.approx(slow_reach(upper, epsilon_nats=0.02), rel=1e-3)
    assert 1 < result.low < result.tokens < result.high < 64
    assert (result.verdict, result.reason, result.num_documents, result.confidence) == ("measured", None, 40, 0.95)
    wider = effective_context(losses, cuts=CUTS, confidence=0.999)
    assert wider.low <= result.low < result.high < wider.high


def test_an_upper_limit_may_be_censored_where_the_value_is_not() -> None:
    result = effective_context(ablation(until(16), noise_sd=0.08, seed=3), cuts=CUTS)
    assert (result.censored, result.high_censored, result.high) == (False, True, 64.0)


def test_few_documents_give_numbers_and_no_verdict() -> None:
    result = effective_context(ablation(until(16), num_documents=19, noise_sd=0.01), cuts=CUTS)
    assert result.low < result.tokens < result.high
    assert (result.verdict, result.reason) == ("undecided", "19 documents; an interval from fewer than 20 is not to be relied on")


def test_one_document_gives_a_value_and_no_interval() -> None:
    result = effective_context(ablation(until(16), num_documents=1), cuts=CUTS)
    assert result.tokens == pytest.approx(16 * 2**-0.2)
    assert math.isnan(result.low)
    assert math.isnan(result.high)
    assert (result.verdict, result.reason) == ("undecided", "one document: no interval is possible")


def test_documents_without_a_target_are_left_out() -> None:
    losses = ablation(until(16), noise_sd=0.02)
    without = np.arange(40) % 2 == 1
    emptied = {name: np.where(without[:, None], 0, getattr(losses, name)) for name in ("num_tokens", "num_bytes", "loss_sum_nats")}
    result = effective_context(dataclasses.replace(losses, **emptied), cuts=CUTS)
    assert result == effective_context(losses.rows(np.flatnonzero(~without)), cuts=CUTS)
    assert result.num_documents == 20


@pytest.mark.parametrize(
    ("losses", "cuts", "reason"),
    [
        (ablation([0.0]), (1,), "the whole context is one token: there is nothing to cut"),
        (ablation(until(16)).rows(np.arange(0)), CUTS, "no document has a target"),
    ],
)
def test_nothing_to_measure_is_said(losses: PositionLosses, cuts: tuple[int, ...], reason: str) -> None:
    result = effective_context(losses, cuts=cuts)
    assert np.isnan([result.tokens, result.low, result.high]).all()
    assert (result.verdict, result.reason) == ("undecided", reason)


def test_columns_of_different_targets_are_refused() -> None:
    losses = ablation(until(16))
    losses.num_tokens[3, 2] += 1
    with pytest.raises(UserError, match="not all of the same targets"):
        effective_context(losses, cuts=CUTS)


def test_a_model_against_itself_has_a_ratio_of_one() -> None:
    losses = ablation(until(16), noise_sd=0.03)
    ratio = context_ratio(losses, losses, cuts=CUTS)
    assert (ratio.value, ratio.low, ratio.high, ratio.reason) == (1.0, 1.0, 1.0, None)


def test_ratio_matches_a_loop_over_resampled_documents() -> None:
    a, b = (ablation(until(reach), noise_sd=0.02) for reach in (32, 8))
    reaches: list[tuple[EffectiveContext, EffectiveContext]] = []
    for counts_D in shared_resamples(40, num_resamples=100, seed=5):
        chosen = np.repeat(np.arange(40), counts_D)
        reaches.append((effective_context(a.rows(chosen), cuts=CUTS), effective_context(b.rows(chosen), cuts=CUTS)))
    ratios = np.array([one.tokens / other.tokens for one, other in reaches])
    assert not any(reach.censored for pair in reaches for reach in pair)
    freedom = degrees_of_freedom(40, weights_D=a.num_tokens[:, 0])
    result = context_ratio(a, b, cuts=CUTS, num_resamples=100, seed=5)
    assert result.value == pytest.approx(effective_context(a, cuts=CUTS).tokens / effective_context(b, cuts=CUTS).tokens)
    assert (result.low, result.high) == pytest.approx(percentile_interval(ratios, degrees_of_freedom=freedom))
    assert result.std_error == pytest.approx(ratios.std(ddof=1))
    assert result.low < 4 < result.high


def test_the_order_of_documents_does_not_matter() -> None:
    a, b = (ablation(until(reach), noise_sd=0.02) for reach in (32, 8))
    assert context_ratio(a, b.rows(np.arange(40)[::-1]), cuts=CUTS) == context_ratio(a, b, cuts=CUTS)


def test_a_model_that_still_gains_leaves_the_ratio_open_on_its_side() -> None:
    beyond, inside = ablation([0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.0], noise_sd=0.01), ablation(until(8), noise_sd=0.01)
    first, second, both = (context_ratio(a, b, cuts=CUTS) for a, b in ((beyond, inside), (inside, beyond), (beyond, beyond)))
    for ratio, words in ((first, "the first model"), (second, "the second model"), (both, "the first and the second model")):
        assert math.isnan(ratio.value)
        assert not ratio.has_interval
        assert ratio.reason == f"{words} may still gain at 64 tokens of context, so the ratio is open"
    assert first.low == pytest.approx(64 / (8 * 2**-0.2), rel=0.1)
    assert second.high == pytest.approx(8 * 2**-0.2 / 64, rel=0.1)
    assert np.isnan([first.high, second.low, both.low, both.high]).all()


def test_ablations_that_cannot_be_paired_are_refused() -> None:
    losses = ablation(until(16))
    with pytest.raises(UserError, match="different documents"):
        context_ratio(losses, losses.rows(np.arange(30)), cuts=CUTS)
    with pytest.raises(UserError, match="different targets"):
        context_ratio(losses, ablation(until(16), seed=1), cuts=CUTS)
    with pytest.raises(UserError, match="one ablation has 7 cuts of the context, the other 6"):
        context_ratio(losses, ablation(until(16)[:6]), cuts=CUTS)


def test_one_document_has_no_ratio() -> None:
    losses = ablation(until(16), num_documents=1)
    assert context_ratio(losses, losses, cuts=CUTS).reason == "one document: no interval is possible"
