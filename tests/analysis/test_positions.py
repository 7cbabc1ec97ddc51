"""Curves, bins and statistics over context positions: definitions, slow loops, edges of the bands."""

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from hf_ctxscale.analysis.positions import (
    PositionLosses,
    PositionSums,
    bits_per_byte,
    context_gain,
    in_context_score,
    log_bins,
    loss_curve,
    mean_loss,
    mean_statistic,
    paired_difference,
    window_means,
)
from hf_ctxscale.study import UserError

Maker = Callable[..., PositionLosses]


def of_curve(curve: np.ndarray, *, num_documents: int = 3) -> PositionLosses:
    """Every document has exactly this curve."""
    sums = PositionSums(len(curve))
    for d in range(num_documents):
        sums.add(np.tile(curve, (d + 1, 1)), documents=[f"d{d}"] * (d + 1))
    return sums.result()


def steps(context_tokens: int, **levels: float) -> np.ndarray:
    """Zero but for some stretches: steps(256, p65_128=1.0)."""
    curve = np.zeros(context_tokens)
    for name, level in levels.items():
        first, last = map(int, name[1:].split("_"))
        curve[first - 1 : last] = level
    return curve


def test_uniform_loss_gives_ln_vocab_at_every_position() -> None:
    losses = of_curve(np.full(512, math.log(257)))
    assert loss_curve(losses) == pytest.approx(np.full(512, math.log(257)))
    assert mean_loss(losses).value == pytest.approx(math.log(257))
    assert mean_loss(losses, positions=(3, 3)).value == pytest.approx(math.log(257))
    assert context_gain(losses).value == pytest.approx(0.0)
    assert in_context_score(losses).value == pytest.approx(0.0)


def test_intervals_count_documents_of_unequal_length_as_fewer() -> None:
    rng = np.random.default_rng(0)
    num_tokens = np.array([[1], [2], [3], [4], [20]])
    losses, other = (
        PositionLosses(tuple("abcde"), num_tokens[:, 0], num_tokens, 5 * num_tokens, num_tokens * rng.normal(3, 0.5, (5, 1))) for _ in "ab"
    )
    freedom = 30**2 / (1 + 4 + 9 + 16 + 400) - 1
    for result in (mean_loss(losses), bits_per_byte(losses), paired_difference(losses, other, statistic=mean_statistic(1, 1))):
        assert result.high - result.value == pytest.approx(stats.t.ppf(0.975, freedom) * result.std_error)


def test_one_bit_per_byte_where_tokens_of_three_bytes_cost_three_bits() -> None:
    sums = PositionSums(2)
    sums.add(np.full((4, 2), 3 * math.log(2)), documents=list("abca"), num_bytes_BT=np.full((4, 2), 3))
    assert bits_per_byte(sums.result()).value == pytest.approx(1.0)


def test_bits_per_byte_is_a_ratio_of_sums() -> None:
    sums = PositionSums(1)
    sums.add([[4.0], [1.0]], documents=["a", "b"], num_bytes_BT=[[10], [1]])
    assert bits_per_byte(sums.result()).value == pytest.approx(5.0 / 11 / math.log(2))


def test_bits_per_byte_without_bytes_is_no_number() -> None:
    result = bits_per_byte(of_curve(np.ones(4)))
    assert math.isnan(result.value)
    assert result.reason == "the number of bytes per token is not known"


def test_curve_and_window_means_match_a_plain_loop() -> None:
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, 5, (6, 10))
    tokens[:, 3] = 0
    losses = PositionLosses(tuple("abcdef"), tokens.max(axis=1), tokens, tokens, tokens * rng.gamma(3.0, size=(6, 10)))
    curve = loss_curve(losses)
    for t in range(10):
        count = sum(int(losses.num_tokens[d, t]) for d in range(6))
        if count:
            assert curve[t] == pytest.approx(sum(losses.loss_sum_nats[d, t] for d in range(6)) / count)
        else:
            assert math.isnan(curve[t])
    windows = [(1, 3), (2, 9), (4, 4)]
    means = window_means(losses, windows)
    for r in range(7):
        kept = [d for d in range(6) if d != r - 1]
        for w, (first, last) in enumerate(windows):
            cells = [(d, t - 1) for d in kept for t in range(first, last + 1)]
            count = sum(int(losses.num_tokens[c]) for c in cells)
            expected = sum(losses.loss_sum_nats[c] for c in cells) / count if count else math.nan
            assert means[r, w] == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("context_tokens", [1, 2, 3, 5, 31, 32, 33, 96, 100, 127, 128, 129, 255, 256, 257, 512, 700, 1000, 1024, 4096])
def test_log_bins_cover_every_position_once(context_tokens: int) -> None:
    bins = log_bins(context_tokens)
    assert [t for first, last in bins for t in range(first, last + 1)] == list(range(1, context_tokens + 1))
    assert all(first == last for first, last in bins if last <= 4)


def test_log_bins_are_the_same_for_every_study_of_one_context() -> None:
    assert log_bins(64) == (
        *((t, t) for t in range(1, 7)),
        (7, 8), (9, 10), (11, 13), (14, 16), (17, 20), (21, 25), (26, 32), (33, 40), (41, 51), (52, 64),
    )  # fmt: skip
    assert set(log_bins(64)) < set(log_bins(1024))


@pytest.mark.parametrize("context_tokens", [256, 512, 1024])
def test_log_bins_have_edges_at_the_bands_of_the_context_gain(context_tokens: int) -> None:
    assert {64, 128, context_tokens // 2} <= {last for _, last in log_bins(context_tokens)}


@pytest.mark.parametrize(("context_tokens", "last"), [(256, "p129_256"), (257, "p129_257"), (300, "p151_300"), (512, "p257_512")])
def test_context_gain_reads_exactly_its_two_bands(context_tokens: int, last: str) -> None:
    assert context_gain(of_curve(steps(context_tokens, p65_128=1.0))).value == pytest.approx(1.0)
    assert context_gain(of_curve(steps(context_tokens, **{last: 1.0}))).value == pytest.approx(-1.0)
    first = int(last[1:].split("_")[0])
    outside = np.ones(context_tokens)
    outside[64:128] = 0
    outside[first - 1 :] = 0
    assert context_gain(of_curve(outside)).value == 0.0


@pytest.mark.parametrize("context_tokens", [1, 64, 128, 200, 255])
def test_context_gain_below_256_tokens_is_no_number(context_tokens: int) -> None:
    result = context_gain(of_curve(np.ones(context_tokens)))
    assert math.isnan(result.value)
    assert result.reason == f"the context gain needs a context of 256 tokens or more; this one has {context_tokens}"


def test_in_context_score_reads_exactly_its_two_bands() -> None:
    assert in_context_score(of_curve(steps(512, p481_512=1.0))).value == pytest.approx(1.0)
    assert in_context_score(of_curve(steps(1024, p45_55=1.0))).value == pytest.approx(-1.0)
    outside = np.ones(1024)
    outside[44:55] = 0
    outside[480:512] = 0
    assert in_context_score(of_curve(outside)).value == 0.0


def test_in_context_score_is_negative_for_a_model_that_learns_from_its_context() -> None:
    t = np.arange(1, 1025.0)
    kaplan = [(4.0, 3.2, 0.47), (3.4, 4.0, 0.56), (2.9, 4.5, 0.56), (2.7, 4.9, 0.60), (2.4, 5.1, 0.61), (2.3, 5.4, 0.62)]
    scores = [in_context_score(of_curve(level + a * t**-alpha)).value for level, a, alpha in kaplan]
    assert all(-0.38 < score < -0.30 for score in scores)  # FACTS.md: -0.32 to -0.37


@pytest.mark.parametrize("context_tokens", [56, 511])
def test_in_context_score_below_512_tokens_is_no_number(context_tokens: int) -> None:
    result = in_context_score(of_curve(np.ones(context_tokens)))
    assert math.isnan(result.value)
    assert result.reason == f"needs a context of 512 tokens or more; this one has {context_tokens}"


def test_one_document_gives_values_without_intervals(make_losses: Maker) -> None:
    losses = make_losses(np.linspace(5, 3, 512), num_documents=1)
    for result in (mean_loss(losses), bits_per_byte(losses), context_gain(losses), in_context_score(losses)):
        assert math.isfinite(result.value)
        assert math.isnan(result.low)
        assert math.isnan(result.high)
        assert result.reason == "one document: no interval is possible"


def test_order_of_documents_does_not_matter(make_losses: Maker) -> None:
    losses = make_losses(np.linspace(5, 3, 256), noise_sd=1.0)
    shuffled = losses.rows(np.random.default_rng(0).permutation(30))
    for statistic in (mean_loss, bits_per_byte, context_gain):
        ours, theirs = statistic(losses), statistic(shuffled)
        assert (ours.value, ours.low, ours.high) == pytest.approx((theirs.value, theirs.low, theirs.high), abs=1e-12)


def test_documents_without_a_token_in_the_window_are_no_clusters(make_losses: Maker) -> None:
    losses = make_losses(np.ones(8), num_documents=10)
    tokens = losses.num_tokens.copy()
    tokens[4:, 5] = 0
    some = dataclasses.replace(losses, num_tokens=tokens, loss_sum_nats=np.where(tokens > 0, losses.loss_sum_nats, 0.0))
    here = mean_loss(some, positions=(6, 6))
    assert here.num_documents == 4
    alone = mean_loss(some.rows(np.arange(4)), positions=(6, 6))
    assert (here.low, here.high) == pytest.approx((alone.low, alone.high))
    assert mean_loss(some).num_documents == 10


def test_no_tokens_at_all_is_no_number(make_losses: Maker) -> None:
    losses = make_losses(np.ones(8), num_documents=3)
    empty = dataclasses.replace(losses, num_tokens=losses.num_tokens * 0, loss_sum_nats=losses.loss_sum_nats * 0)
    result = mean_loss(empty)
    assert math.isnan(result.value)
    assert (result.num_documents, result.reason) == (0, "no document has a token there")


def test_paired_difference_takes_out_what_documents_share(make_losses: Maker) -> None:
    a = make_losses(np.full(64, 3.1), noise_seed=1)
    b = make_losses(np.full(64, 3.0), noise_seed=2)
    paired = paired_difference(a, b, statistic=mean_statistic(1, 64))
    assert paired.value == pytest.approx(mean_loss(a).value - mean_loss(b).value)
    assert paired.low < 0.1 < paired.high
    assert paired.std_error < 0.05 * mean_loss(a).std_error


def test_paired_difference_matches_an_explicit_leave_one_out(make_losses: Maker) -> None:
    a, b = make_losses(np.full(8, 3.0), noise_sd=0.5, noise_seed=1), make_losses(np.full(8, 2.0), noise_sd=0.5, noise_seed=2)
    left = []
    for d in range(30):
        kept = np.delete(np.arange(30), d)
        left.append(mean_loss(a.rows(kept)).value - mean_loss(b.rows(kept)).value)
    std_error = math.sqrt(29 / 30 * sum((value - sum(left) / 30) ** 2 for value in left))
    assert paired_difference(a, b, statistic=mean_statistic(1, 8)).std_error == pytest.approx(std_error)


def test_paired_difference_matches_documents_by_name_not_by_row(make_losses: Maker) -> None:
    a, b = make_losses(np.full(8, 3.0), noise_seed=1), make_losses(np.full(8, 2.0), noise_seed=2)
    shuffled = b.rows(np.random.default_rng(0).permutation(30))
    ours, theirs = (paired_difference(a, other, statistic=mean_statistic(1, 8)) for other in (b, shuffled))
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high))


def test_paired_difference_of_other_documents_or_contexts_is_refused(make_losses: Maker) -> None:
    a = make_losses(np.full(8, 3.0))
    with pytest.raises(UserError, match=r"different documents .29 and 30, 29 in common"):
        paired_difference(a, a.rows(np.arange(29)), statistic=mean_statistic(1, 8))
    with pytest.raises(UserError, match="8 context tokens, the other at 9"):
        paired_difference(a, make_losses(np.full(9, 3.0)), statistic=mean_statistic(1, 8))
