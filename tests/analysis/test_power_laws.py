"""Power laws: recovery of known parameters, coverage, slow versions, and what has no answer."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy.optimize import least_squares

from hf_ctxscale.analysis.positions import PositionLosses, log_bins, mean_loss, window_means
from hf_ctxscale.analysis.power_laws import EXPONENT_GRID, fit_position_power_law, fit_size_power_law

Maker = Callable[..., PositionLosses]
SIZES = np.array([25_000, 75_000, 200_000])
KAPLAN_FIGURE_20 = [(4.0, 3.2, 0.47), (3.4, 4.0, 0.56), (2.9, 4.5, 0.56), (2.7, 4.9, 0.60), (2.4, 5.1, 0.61), (2.3, 5.4, 0.62)]


def power(l_inf: float, a: float, alpha: float, *, context_tokens: int) -> np.ndarray:
    return l_inf + a * np.arange(1, context_tokens + 1.0) ** -alpha


def size_replicates(
    make_losses: Maker, *, alpha: float = 0.076, n_c: float = 8.8e13, num_documents: int = 30, **kwargs: float
) -> np.ndarray:
    models = [make_losses(np.full(4, (n_c / n) ** alpha), num_documents=num_documents, noise_seed=n, **kwargs) for n in SIZES]
    return np.concatenate([window_means(model, [(1, 4)]) for model in models], axis=1)


def test_size_law_recovers_the_papers_parameters(make_losses: Maker) -> None:
    fit = fit_size_power_law(SIZES, size_replicates(make_losses, document_sd=0.0, noise_sd=0.0))
    assert fit.alpha is not None
    assert fit.n_c is not None
    assert fit.alpha.value == pytest.approx(0.076)
    assert fit.n_c.value == pytest.approx(8.8e13, rel=1e-6)
    assert fit.residual_nats == pytest.approx(np.zeros(3), abs=1e-9)
    assert fit.predict(np.array([1e9])) == pytest.approx((8.8e13 / 1e9) ** 0.076)
    assert fit.converged
    assert fit.reason is None


def test_size_law_refits_without_each_document(make_losses: Maker) -> None:
    replicates = size_replicates(make_losses)
    slopes = [-np.polyfit(np.log(SIZES), np.log(row), 1)[0] for row in replicates]
    spread = sum((slope - np.mean(slopes[1:])) ** 2 for slope in slopes[1:])
    fit = fit_size_power_law(SIZES, replicates)
    assert fit.alpha is not None
    assert fit.alpha.value == pytest.approx(slopes[0])
    assert fit.alpha.std_error == pytest.approx(math.sqrt(29 / 30 * spread), rel=1e-6)
    assert fit.alpha.low < 0.076 < fit.alpha.high
    assert fit.n_c is not None
    assert 0 < fit.n_c.low < fit.n_c.value < fit.n_c.high


def test_leaving_a_document_out_of_all_models_at_once_takes_out_its_level(make_losses: Maker) -> None:
    replicates = size_replicates(make_losses)
    together = fit_size_power_law(SIZES, replicates)
    apart = replicates.copy()
    for p in range(3):
        apart[1:, p] = np.roll(apart[1:, p], 10 * p)
    mixed = fit_size_power_law(SIZES, apart)
    assert together.alpha is not None
    assert mixed.alpha is not None
    assert together.alpha.std_error < 0.2 * mixed.alpha.std_error


def test_two_sizes_give_values_and_intervals(make_losses: Maker) -> None:
    fit = fit_size_power_law(SIZES[:2], size_replicates(make_losses)[:, :2])
    assert fit.alpha is not None
    assert fit.alpha.has_interval
    assert fit.residual_nats == pytest.approx([0, 0], abs=1e-9)


@pytest.mark.parametrize("sizes", [SIZES[:1], np.array([25_000, 25_000])])
def test_one_size_gives_no_law_and_says_why(sizes: np.ndarray) -> None:
    fit = fit_size_power_law(sizes, np.full((31, len(sizes)), 3.0))
    assert fit.alpha is None
    assert fit.n_c is None
    assert not fit.converged
    assert fit.reason == "a power law needs two sizes or more; this series has 1"
    assert np.isnan(fit.predict(SIZES)).all()


def test_size_law_from_one_document_has_values_without_intervals(make_losses: Maker) -> None:
    fit = fit_size_power_law(SIZES, size_replicates(make_losses, num_documents=1))
    assert fit.alpha is not None
    assert math.isfinite(fit.alpha.value)
    assert not fit.alpha.has_interval
    assert fit.reason == "one document: no interval is possible"
    assert fit.n_c is not None
    assert not fit.n_c.has_interval


def test_loss_that_does_not_fall_with_size_gives_no_scale() -> None:
    fit = fit_size_power_law(SIZES, np.tile([3.0, 3.1, 3.2], (31, 1)))
    assert fit.alpha is not None
    assert fit.alpha.value < 0
    assert fit.n_c is None
    assert fit.reason is not None
    assert "N_c is not identifiable" in fit.reason


def test_scale_has_no_interval_where_that_of_alpha_reaches_zero() -> None:
    rng = np.random.default_rng(0)
    fit = fit_size_power_law(SIZES, np.array([[3.1, 3.0, 2.9]]) + np.vstack([np.zeros(3), rng.normal(0, 0.05, (30, 3))]))
    assert fit.alpha is not None
    assert fit.alpha.low < 0 < fit.alpha.value
    assert fit.n_c is not None
    assert not fit.n_c.has_interval
    assert fit.reason == "N_c has no interval: that of alpha reaches 0, where N_c has no bound"


@pytest.mark.parametrize(("l_inf", "a", "alpha"), KAPLAN_FIGURE_20)
def test_position_law_recovers_the_curves_of_figure_20(make_losses: Maker, l_inf: float, a: float, alpha: float) -> None:
    fit = fit_position_power_law(make_losses(power(l_inf, a, alpha, context_tokens=1024), document_sd=0.0, noise_sd=0.0))
    assert fit.converged
    assert fit.reason is None
    assert fit.l_inf is not None
    assert fit.a is not None
    assert fit.alpha is not None
    assert (fit.l_inf.value, fit.a.value, fit.alpha.value) == pytest.approx((l_inf, a, alpha), rel=1e-6)
    assert fit.residual_nats == pytest.approx(np.zeros(len(fit.bins)), abs=1e-7)
    assert fit.predict(np.array([1, 1024])) == pytest.approx([l_inf + a, l_inf + a * 1024**-alpha], rel=1e-6)


def test_position_law_matches_scipys_least_squares_on_all_three_parameters(make_losses: Maker) -> None:
    losses = make_losses(power(3.0, 3.0, 0.5, context_tokens=64), noise_sd=2.0)
    bins = log_bins(64)
    means = [mean_loss(losses, positions=window).value for window in bins]

    def residuals(params: np.ndarray) -> list[float]:
        l_inf, a, alpha = params
        model = [np.mean([l_inf + a * t**-alpha for t in range(first, last + 1)]) for first, last in bins]
        return [m - y for m, y in zip(model, means, strict=True)]

    slow = least_squares(residuals, (2.0, 2.0, 1.0), xtol=1e-14, ftol=1e-14, gtol=1e-14)
    fit = fit_position_power_law(losses)
    assert fit.l_inf is not None
    assert fit.a is not None
    assert fit.alpha is not None
    assert (fit.l_inf.value, fit.a.value, fit.alpha.value) == pytest.approx(slow.x, rel=1e-5)
    assert fit.residual_nats == pytest.approx(-slow.fun, abs=1e-6)


def test_position_law_refits_without_each_document(make_losses: Maker) -> None:
    losses = make_losses(power(3.0, 3.0, 0.5, context_tokens=32), num_documents=8, noise_sd=0.2)
    fit = fit_position_power_law(losses)
    left = [fit_position_power_law(losses.rows(np.delete(np.arange(8), d))).alpha for d in range(8)]
    values = [alpha.value for alpha in left if alpha is not None]
    assert len(values) == 8
    spread = sum((value - np.mean(values)) ** 2 for value in values)
    assert fit.alpha is not None
    assert fit.alpha.std_error == pytest.approx(math.sqrt(7 / 8 * spread), rel=1e-4)


def test_intervals_of_the_exponent_cover_it_as_often_as_they_claim(make_losses: Maker) -> None:
    num, covered = 120, 0
    curve = power(3.0, 3.0, 0.6, context_tokens=32)
    for i in range(num):
        alpha = fit_position_power_law(make_losses(curve, num_documents=20, noise_sd=0.4, seed=i, noise_seed=1000 + i)).alpha
        assert alpha is not None
        covered += alpha.low <= 0.6 <= alpha.high
    assert abs(covered / num - 0.95) < 3 * math.sqrt(0.95 * 0.05 / num)


@pytest.mark.parametrize(
    ("curve", "reason"),
    [
        (np.full(256, 3.0), "does not fall along the context|reaches its bound 0|have no bound"),
        (3.0 + np.arange(256) * 1e-3, "does not fall along the context"),
        (6.0 - 0.8 * np.log(np.arange(1, 257.0)), "where it levels off"),
        (power(3.0, 3.0, 9.0, context_tokens=256), "runs to the edge of its grid, 0.02 to 4"),
        (power(3.0, 3.0, 0.5, context_tokens=4), "need 5 bins of positions or more; a context of 4 tokens has 4"),
    ],
)
def test_a_curve_that_does_not_fix_the_parameters_has_none_and_says_why(make_losses: Maker, curve: np.ndarray, reason: str) -> None:
    fit = fit_position_power_law(make_losses(curve))
    assert (fit.l_inf, fit.a, fit.alpha) == (None, None, None)
    assert fit.reason is not None
    assert fit.reason.startswith("not identifiable: ")
    assert any(part in fit.reason for part in reason.split("|"))
    assert len(fit.residual_nats) == 0
    assert np.isnan(fit.predict(np.array([1.0, 2.0]))).all()


def test_intervals_that_reach_zero_leave_the_parameters_not_identifiable(make_losses: Maker) -> None:
    fit = fit_position_power_law(make_losses(power(3.0, 0.3, 0.5, context_tokens=64), noise_sd=1.5))
    assert fit.alpha is None
    assert fit.reason is not None
    assert fit.reason.startswith("not identifiable: the interval of alpha, -1.82 to 4.76, reaches its bound 0")


def test_a_refit_that_runs_away_leaves_the_parameters_not_identifiable(make_losses: Maker) -> None:
    fit = fit_position_power_law(make_losses(power(3.0, 0.5, 0.5, context_tokens=64), noise_sd=3.0))
    assert fit.alpha is None
    assert fit.reason is not None
    assert fit.reason.startswith("not identifiable: the intervals have no bound: without 'doc-0', the exponent runs to the edge")


def test_position_law_of_one_document_has_values_without_intervals(make_losses: Maker) -> None:
    fit = fit_position_power_law(make_losses(power(3.0, 3.0, 0.5, context_tokens=64), num_documents=1))
    assert fit.alpha is not None
    assert fit.alpha.value == pytest.approx(0.5, abs=0.05)
    assert not fit.alpha.has_interval
    assert fit.reason == "one document: no interval is possible"


def test_the_grid_of_exponents_holds_every_published_one_well_inside() -> None:
    assert EXPONENT_GRID[5] < min(alpha for *_, alpha in KAPLAN_FIGURE_20)
    assert max(alpha for *_, alpha in KAPLAN_FIGURE_20) < EXPONENT_GRID[-5]
