"""Replicates against a slow version, in the cases where only documents or only seeds vary, and by how often their intervals hold the truth."""

import dataclasses
import math

import numpy as np
import pytest
from changed_losses import constant, with_losses, without_seeds
from scipy import stats

from hf_ctxscale.analysis.estimates import degrees_of_freedom
from hf_ctxscale.analysis.measured import Measured
from hf_ctxscale.analysis.positions import PositionLosses, mean_loss, window_means
from hf_ctxscale.analysis.replicates import draw_replicates, percentile_estimate
from hf_ctxscale.analysis.seeds import across_seeds

T = 16
WINDOWS = [(1, T), (1, 4), (9, T)]


def test_row_0_is_the_data(two_by_three: Measured) -> None:
    losses_RPW = draw_replicates(two_by_three, num_replicates=5).losses(WINDOWS)
    assert losses_RPW.shape == (6, 6, 3)
    for p, run in enumerate(two_by_three.runs):
        assert losses_RPW[0, p] == pytest.approx(window_means(run.losses, WINDOWS)[0], rel=1e-14)


def test_the_slow_loop_over_replicates_differs_by_one_stretch_per_replicate_that_all_runs_share(two_by_three: Measured) -> None:
    num, measured = 400, without_seeds(two_by_three)
    num_documents = len(measured.documents)
    losses_RPW = draw_replicates(measured, num_replicates=num, seed=7).losses(WINDOWS)
    log_BPW = np.log(losses_RPW[1:] / losses_RPW[0])
    rng = np.random.default_rng(7)
    counts_BD = rng.multinomial(num_documents, [1 / num_documents] * num_documents, size=num)
    slow_BPW = np.empty_like(log_BPW)
    for b in range(num):
        for p, run in enumerate(measured.runs):
            for w, (first, last) in enumerate(WINDOWS):
                drawn = np.repeat(np.arange(num_documents), counts_BD[b])
                loss, tokens = (a[drawn, first - 1 : last].sum() for a in (run.losses.loss_sum_nats, run.losses.num_tokens))
                slow_BPW[b, p, w] = math.log(loss / tokens) - math.log(mean_loss(run.losses, positions=(first, last)).value)
    stretch_B = (log_BPW / slow_BPW)[:, 0, 0]
    assert log_BPW == pytest.approx(stretch_B[:, None, None] * slow_BPW, abs=1e-12)
    freedom = degrees_of_freedom(num_documents, weights_D=measured.weights_D)
    # The square is freedom over a chi-square, times D/(D-1).
    chi_square_B = num_documents / (num_documents - 1) * freedom / np.square(stretch_B)
    assert stats.kstest(chi_square_B, stats.chi2(freedom).cdf).pvalue > 0.01


def test_documents_are_crossed_with_runs(two_by_three: Measured) -> None:
    measured = without_seeds(two_by_three)
    same = with_losses(measured, *[measured.runs[0].losses] * len(measured.runs))
    losses_RPW = draw_replicates(same).losses(WINDOWS)
    assert np.ptp(losses_RPW[:, 0] - losses_RPW[:, 1], axis=0) == pytest.approx([0, 0, 0], abs=0)
    assert losses_RPW[:, 0].std(axis=0).min() > 0.01


def test_seeds_alone_vary_by_their_pooled_covariance_each_run_for_itself(two_by_three: Measured) -> None:
    level_PT = np.random.default_rng(0).normal(3.0, 0.02, (6, T)) + np.random.default_rng(1).normal(0, 0.05, (6, 1))
    measured = with_losses(two_by_three, *(constant(np.tile(level_T, (20, 1))) for level_T in level_PT))
    replicates = draw_replicates(measured, num_replicates=20_000)
    means_PW = replicates.losses(WINDOWS)[0]
    residual_PW = np.concatenate([cell_PW - cell_PW.mean(axis=0) for cell_PW in (means_PW[:3], means_PW[3:])])
    covariance_WW = residual_PW.T @ residual_PW / 4
    assert replicates.covers == "documents and seeds"
    assert replicates.seed_spread is not None
    assert (replicates.seed_spread.std_nats, replicates.seed_spread.degrees_of_freedom) == (
        pytest.approx(math.sqrt(covariance_WW[0, 0])),
        4,
    )
    deviation_BPW = np.log(replicates.losses(WINDOWS)[1:] / means_PW) * means_PW
    # The t scale has no fourth moment at four degrees of freedom: the shape is compared, which it does not touch.
    scale_B = np.sqrt(np.square(deviation_BPW[:, :, 0]).mean(axis=1))
    normal_BPW = deviation_BPW / scale_B[:, None, None]
    for p in range(6):
        drawn_WW = normal_BPW[:, p].T @ normal_BPW[:, p] / len(normal_BPW)
        assert drawn_WW * covariance_WW[0, 0] == pytest.approx(covariance_WW, rel=0.05, abs=0.02 * covariance_WW.max())
    across_PP = normal_BPW[:, :, 0].T @ normal_BPW[:, :, 0] / len(normal_BPW)
    assert np.abs(across_PP - np.diag(np.diag(across_PP))).max() < 0.03
    # Percentiles have the width of Student's t, for the mean over seeds that of the t interval over them.
    mean = percentile_estimate(replicates.losses(WINDOWS)[:, :3, 0].mean(axis=1), num_documents=20)
    assert (mean.high - mean.low) / 2 == pytest.approx(2.776 * math.sqrt(covariance_WW[0, 0] / 3), rel=0.05)


def test_windows_asked_for_one_by_one_have_the_same_draws(two_by_three: Measured) -> None:
    replicates = draw_replicates(two_by_three, num_replicates=50)
    together = replicates.losses(WINDOWS)
    for w, window in enumerate(WINDOWS):
        assert replicates.losses([window])[:, :, 0] == pytest.approx(together[:, :, w], rel=1e-12)


def test_some_of_the_runs_keep_their_draws_and_the_spread_of_all_seeds(two_by_three: Measured) -> None:
    replicates = draw_replicates(two_by_three, num_replicates=50)
    some = replicates.only(without_seeds(two_by_three))
    assert some.losses(WINDOWS) == pytest.approx(replicates.losses(WINDOWS)[:, [0, 3]], rel=1e-12)
    assert some.seed_spread == replicates.seed_spread


def test_the_same_seed_gives_the_same_replicates(two_by_three: Measured) -> None:
    one, same, other = (draw_replicates(two_by_three, num_replicates=9, seed=seed).losses(WINDOWS) for seed in (1, 1, 2))
    assert (one == same).all()
    assert (one[1:] != other[1:]).all()


def test_a_cell_without_a_second_seed_gets_the_pooled_spread(two_by_three: Measured) -> None:
    runs = two_by_three.runs
    replicates = draw_replicates(dataclasses.replace(two_by_three, runs=runs[:4]))
    assert replicates.seed_spread is not None
    assert replicates.seed_spread.degrees_of_freedom == 2
    losses_RP = replicates.losses([(1, T)])[:, :, 0]
    assert (losses_RP[:, 3] - losses_RP[:, 2]).std() > replicates.seed_spread.std_nats


def test_one_seed_everywhere_is_conditional_on_the_trained_models(two_by_three: Measured) -> None:
    replicates = draw_replicates(without_seeds(two_by_three))
    assert (replicates.covers, replicates.seed_spread) == ("documents", None)
    value_R = replicates.losses([(1, T)])[:, 0, 0]
    found = percentile_estimate(value_R, num_documents=30)
    expected = mean_loss(two_by_three.runs[0].losses)
    assert (found.value, found.low, found.high) == pytest.approx((expected.value, expected.low, expected.high), abs=0.03)
    assert found.std_error == pytest.approx(expected.std_error, rel=0.1)


def test_a_window_that_few_documents_reach_has_a_value_and_no_interval(two_by_three: Measured) -> None:
    def cut(losses: PositionLosses) -> PositionLosses:
        short = np.where((np.arange(30)[:, None] > 0) & (np.arange(T) >= 8), 0, 1)
        return dataclasses.replace(losses, num_tokens=losses.num_tokens * short, loss_sum_nats=losses.loss_sum_nats * short)

    measured = with_losses(two_by_three, *(cut(run.losses) for run in two_by_three.runs))
    losses_R = draw_replicates(measured).losses([(9, T)])[:, 0, 0]
    found = percentile_estimate(losses_R, num_documents=30)
    assert math.isfinite(found.value)
    assert not found.has_interval
    assert found.reason is not None
    assert found.reason.endswith("it rests on too few documents")


def test_one_document_gives_a_value_and_no_interval(two_by_three: Measured) -> None:
    measured = with_losses(two_by_three, *(run.losses.rows(np.array([0])) for run in two_by_three.runs))
    replicates = draw_replicates(without_seeds(measured))
    losses_R = replicates.losses([(1, T)])[:, 0, 0]
    assert np.ptp(losses_R) < 1e-12
    found = percentile_estimate(losses_R, num_documents=1)
    assert (found.has_interval, found.reason) == (False, "one document: no interval is possible")
    assert replicates.run_variances((1, T)) == pytest.approx(losses_R[0] ** 2 * np.array([1.0, 1.0]), rel=0.2)


def test_a_loss_of_nothing_stays_nothing(two_by_three: Measured) -> None:
    known_DT = np.tile(np.where(np.arange(T) < 4, 0.0, 1.0), (30, 1))
    measured = with_losses(two_by_three, *[constant(known_DT)] * 6)
    assert (draw_replicates(measured).losses([(1, 4)]) == 0).all()


def test_infinite_replicates_give_an_infinite_limit_and_no_other_value() -> None:
    values_R = np.concatenate([[1.0], np.arange(95.0), np.full(5, math.inf)])
    found = percentile_estimate(values_R, num_documents=30)
    assert (found.low, found.high) == (2.0, math.inf)
    assert not percentile_estimate(values_R[:1], num_documents=30).has_interval
    assert percentile_estimate(np.full(3, math.nan), num_documents=30).reason == "no document has a token there"


def test_intervals_hold_what_a_recipe_gives_as_often_as_they_claim_and_agree_with_those_across_seeds(two_by_three: Measured) -> None:
    rng, num, num_documents = np.random.default_rng(0), 500, 25
    runs = two_by_three.runs
    covered = width = width_across = 0.0
    for _ in range(num):
        common_D1 = rng.normal(0, 0.2, (num_documents, 1))
        losses = [constant(3.0 + common_D1 + rng.normal(0, 0.05, (num_documents, 1)) + rng.normal(0, 0.03)) for _ in runs]
        replicates = draw_replicates(with_losses(two_by_three, *losses), num_replicates=400)
        losses_RP = replicates.losses([(1, 1)])[:, :, 0]
        gap = percentile_estimate(losses_RP[:, 3:].mean(axis=1) - losses_RP[:, :3].mean(axis=1), num_documents=num_documents)
        covered += gap.low <= 0 <= gap.high
        values_SR = np.stack(
            [(window_means(b, [(1, 1)]) - window_means(a, [(1, 1)]))[:, 0] for a, b in zip(losses[:3], losses[3:], strict=True)]
        )
        width, width_across = width + gap.high - gap.low, width_across + across_seeds(values_SR).high - across_seeds(values_SR).low
    assert abs(covered / num - 0.95) < 0.025
    # Pooled over two cells, the spread between seeds has four degrees of freedom, not two.
    assert 0.7 < width / width_across < 1.0


@pytest.mark.parametrize("seed_sd", [0.0, 0.05])
def test_what_seeds_make_of_single_documents_is_not_counted_twice(two_by_three: Measured, seed_sd: float) -> None:
    rng, variances = np.random.default_rng(0), []
    for _ in range(100):
        common_D1 = rng.normal(3, 0.3, (25, 1))
        losses = [constant(common_D1 + rng.normal(0, 0.15, (25, 1)) + rng.normal(0, seed_sd)) for _ in two_by_three.runs]
        spread = draw_replicates(with_losses(two_by_three, *losses), num_replicates=1).seed_spread
        assert spread is not None
        variances.append(spread.std_nats**2)
    # Resampling documents varies a run by 0.15/5 nats of its own; with those counted twice it would be 0.0009 more.
    assert np.mean(variances) == pytest.approx(seed_sd**2, abs=0.00035)


def test_two_seeds_that_differ_wildly_give_losses_that_a_law_can_be_fitted_to(two_by_three: Measured) -> None:
    measured = dataclasses.replace(two_by_three, runs=two_by_three.runs[:2])
    measured = with_losses(measured, *(constant(np.full((30, T), level)) for level in (3.0, 9.0)))
    losses_RPW = draw_replicates(measured, num_replicates=20_000).losses(WINDOWS)
    assert np.isfinite(losses_RPW).all()
    assert (losses_RPW > 0).all()
