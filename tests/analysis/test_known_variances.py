"""What fits weigh losses by: the variances of runs and of windows, without what is common to all of them."""

import dataclasses

import numpy as np
import pytest
from changed_losses import constant, with_losses, without_seeds

from hf_ctxscale.analysis.estimates import jackknife
from hf_ctxscale.analysis.known_variances import shared, smoothed
from hf_ctxscale.analysis.measured import Measured
from hf_ctxscale.analysis.positions import window_means
from hf_ctxscale.analysis.replicates import draw_replicates

T = 16


def test_variances_leave_out_what_is_common_to_all_runs_or_to_all_windows(two_by_three: Measured) -> None:
    rng = np.random.default_rng(0)
    common_D1, own_DP = rng.normal(0, 0.3, (40, 1)), rng.normal(0, 0.01, (40, 2)) * [1.0, 3.0]
    measured = with_losses(
        dataclasses.replace(two_by_three, runs=(two_by_three.runs[0], two_by_three.runs[3])),
        *(constant(3.0 + common_D1 + own_DP[:, [p]] + np.zeros((1, T))) for p in range(2)),
    )
    # Of two runs, half of the difference stays with each, whatever the level of the documents.
    half = jackknife(np.diff(np.log(np.concatenate([window_means(run.losses, [(1, T)]) for run in measured.runs], axis=1)), axis=1)[:, 0])
    expected = (half.std_error / 2 * 3.0) ** 2
    assert draw_replicates(measured).run_variances((1, T)) == pytest.approx([expected, expected], rel=0.1)
    noise_DT = rng.normal(0, 0.01, (40, T))
    measured = with_losses(dataclasses.replace(two_by_three, runs=two_by_three.runs[:1]), constant(3.0 + common_D1 + noise_DT))
    near, far = draw_replicates(measured).window_variances(0, [(1, 8), (9, T)])
    assert near == pytest.approx(far)


def test_variances_of_windows_fall_with_their_tokens_and_not_by_chance(two_by_three: Measured) -> None:
    rng = np.random.default_rng(0)
    windows = [(t, t) for t in range(1, 9)] + [(9, 10), (11, 12), (13, T)]
    losses_DT = 3.0 + rng.normal(0, 0.3, (40, 1)) + rng.normal(0, 0.01, (40, T))
    measured = with_losses(dataclasses.replace(two_by_three, runs=two_by_three.runs[:1]), constant(losses_DT))
    variances_W = draw_replicates(measured).window_variances(0, windows)
    assert variances_W[:8] == pytest.approx(np.full(8, variances_W[0]))
    assert variances_W[0] > variances_W[8] > variances_W[10]
    assert variances_W[8] == pytest.approx(variances_W[9])
    # The mean over all windows is taken out of each, and keeps the noise of all.
    noise_W = np.array([0.01**2 / (last - first + 1) for first, last in windows]) / 40
    expected_W = noise_W * (1 - 2 / len(windows)) + noise_W.sum() / len(windows) ** 2
    assert variances_W == pytest.approx(expected_W, rel=0.25)


def test_smoothed_variances_keep_what_is_smooth() -> None:
    num_tokens_W = np.array([10, 20, 40, 80, 400])
    variances_W = 0.3 + 5.0 / num_tokens_W
    assert smoothed(variances_W, num_tokens_W=num_tokens_W) == pytest.approx(variances_W)
    assert smoothed(np.zeros(5), num_tokens_W=num_tokens_W) == pytest.approx(np.zeros(5))


def test_variances_are_never_next_to_nothing(two_by_three: Measured) -> None:
    level_DP = np.random.default_rng(0).normal(3, 0.1, (30, 6))
    level_DP[:, 0] = np.exp(np.log(level_DP[:, 1:]).mean(axis=1))
    measured = without_seeds(with_losses(two_by_three, *(constant(np.repeat(level_DP[:, [p]], T, axis=1)) for p in range(6))))
    variances_P = draw_replicates(measured).run_variances((1, T))
    assert variances_P.min() >= 0.01 * variances_P.mean() > 0
    alone = dataclasses.replace(measured, runs=measured.runs[:1])
    assert draw_replicates(alone).run_variances((1, T)) == pytest.approx([window_means(alone.runs[0].losses, [(1, T)])[0, 0] ** 2])


def test_seeds_add_to_the_variances_of_runs(two_by_three: Measured) -> None:
    first = without_seeds(two_by_three)
    replicates = draw_replicates(two_by_three)
    assert replicates.seed_spread is not None
    added_P = replicates.only(first).run_variances((1, T)) - draw_replicates(first).run_variances((1, T))
    assert added_P == pytest.approx(replicates.seed_spread.std_nats**2)


def test_runs_of_one_setting_share_their_relative_variance(two_by_three: Measured) -> None:
    measured = two_by_three
    level_P = np.array([window_means(run.losses, [(1, T)])[0, 0] for run in measured.runs])
    relative_P = draw_replicates(measured).run_variances((1, T)) / level_P**2
    by_size = [
        [relative_P[p] for p, run in enumerate(measured.runs) if run.record.target_body_params == size] for size in (25_000, 200_000)
    ]
    assert [np.ptp(of_size) / np.mean(of_size) for of_size in by_size] == pytest.approx([0.0, 0.0], abs=1e-12)
    assert shared(np.array([1.0, 4.0, 3.0]), groups=[(10, 1), (20, 1), (10, 1)]).tolist() == [2.0, 4.0, 2.0]
    assert shared(np.array([1.0, 4.0, 3.0]), groups=[(10, 1), (20, 1), (10, 2)]).tolist() == [1.0, 4.0, 3.0]
