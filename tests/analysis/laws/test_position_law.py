"""Loss against context position: the curves of figure 20, a slow version, exact bins, and what has no answer."""

import numpy as np
import pytest
from plain_laws import noisy, plain_fit

from hf_ctxscale.analysis.laws.position_law import fit_position_law
from hf_ctxscale.analysis.positions import log_bins
from hf_ctxscale.paper import POSITION_CURVES, PositionCurve

BINS = log_bins(1024)


def bin_means(loss_T: np.ndarray, *, num_tokens_T: np.ndarray | None = None, bins: tuple[tuple[int, int], ...] = BINS) -> np.ndarray:
    weights = np.ones(len(loss_T)) if num_tokens_T is None else num_tokens_T
    return np.array([np.average(loss_T[first - 1 : last], weights=weights[first - 1 : last]) for first, last in bins])


def power(l_inf: float, a: float, alpha: float, *, context_tokens: int = 1024) -> np.ndarray:
    return l_inf + a * np.arange(1, context_tokens + 1.0) ** -alpha


@pytest.mark.parametrize("curve", POSITION_CURVES)
def test_the_curves_of_figure_20_come_back_from_noise_with_intervals_that_hold_them(curve: PositionCurve) -> None:
    means_W = bin_means(power(curve.l_inf, curve.a, curve.alpha))
    fit = fit_position_law(BINS, noisy(means_W, share=0.002, seed=5))
    assert fit.reason is None
    for name, truth in vars(curve).items():
        param = fit.params[name]
        assert param.low is not None
        assert param.high is not None
        assert param.low < truth < param.high
        assert param.value == pytest.approx(truth, rel=0.03)


@pytest.mark.parametrize("curve", POSITION_CURVES)
def test_the_curves_of_figure_20_come_back_exactly_without_noise(curve: PositionCurve) -> None:
    fit = fit_position_law(BINS, bin_means(power(curve.l_inf, curve.a, curve.alpha))[None])
    assert {name: param.value for name, param in fit.params.items()} == pytest.approx(vars(curve), rel=1e-8)
    assert fit.log_huber == pytest.approx(vars(curve), rel=1e-6)
    assert fit.predict(np.array([1, 1024]))[0] == pytest.approx(power(curve.l_inf, curve.a, curve.alpha)[[0, -1]])
    assert fit.converged


def test_every_replicate_matches_a_plain_search_over_positions() -> None:
    bins = log_bins(128)
    losses = noisy(bin_means(power(3.0, 3.0, 0.5, context_tokens=128), bins=bins), share=0.005, num_replicates=3)
    fit = fit_position_law(bins, losses, variance_W=losses[0] ** 2 * np.linspace(1, 3, len(bins)))
    for row, found in zip(losses, fit.values_RK, strict=True):
        slow = plain_fit(
            lambda p: bin_means(power(p[0], p[1], p[2], context_tokens=128), bins=bins),
            row,
            starts=[(2.0,), (2.0,), (0.2, 1.0)],
            weights_P=(row / losses[0]) ** 2 / np.linspace(1, 3, len(bins)),
        )
        assert found == pytest.approx(slow, rel=1e-6)


def test_a_bin_is_the_mean_over_its_tokens() -> None:
    num_tokens_T = np.random.default_rng(0).integers(1, 50, 1024)
    means_W = bin_means(power(2.4, 5.1, 0.61), num_tokens_T=num_tokens_T)
    known = fit_position_law(BINS, means_W[None], num_tokens_T=num_tokens_T)
    assert known.params["alpha"].value == pytest.approx(0.61, rel=1e-8)
    assert known.residual_P == pytest.approx(np.zeros(len(BINS)), abs=1e-9)
    assert fit_position_law(BINS, means_W[None]).params["alpha"].value != pytest.approx(0.61, rel=1e-5)


def test_bins_may_leave_out_the_first_positions() -> None:
    kept = [k for k, (first, _) in enumerate(BINS) if first > 4]
    fit = fit_position_law([BINS[k] for k in kept], bin_means(power(2.4, 5.1, 0.61))[kept][None])
    assert fit.params["a"].value == pytest.approx(5.1, rel=1e-7)


def test_four_bins_are_too_few_for_three_parameters() -> None:
    bins = log_bins(4)
    fit = fit_position_law(bins, bin_means(power(3, 3, 0.5, context_tokens=4), bins=bins)[None])
    assert fit.reason == "three parameters need 5 bins of positions or more; positions 1 to 4 give 4"
    assert fit.params["alpha"].reason == fit.reason
    assert np.isnan(fit.predicted_P).all()


@pytest.mark.parametrize("num_replicates", [0, 200])
@pytest.mark.parametrize(
    ("curve", "unknown", "reason"),
    [
        (np.full(1024, 3.0), {"l_inf", "a", "alpha"}, "does not fall with position|runs to the end|held at|levels off"),
        (3.0 + np.arange(1024) * 1e-3, {"l_inf", "a", "alpha"}, "does not fall with position"),
        (6.0 - 0.8 * np.log(np.arange(1, 1025.0)), {"l_inf", "a", "alpha"}, "where the loss levels off"),
        (power(3, 3, 9), {"l_inf", "a", "alpha"}, "runs to the end of its range, 4"),
    ],
)
def test_a_curve_that_does_not_fix_a_parameter_says_why(curve: np.ndarray, unknown: set[str], reason: str, num_replicates: int) -> None:
    fit = fit_position_law(BINS, noisy(bin_means(curve), share=0.005, num_replicates=num_replicates))
    for name in unknown:
        assert fit.params[name].value is None
        assert str(fit.params[name].reason).startswith("not identifiable: ")
        assert any(part in str(fit.params[name].reason) for part in reason.split("|")), fit.params[name].reason
    assert fit.reason is not None
    assert np.isfinite(fit.predicted_P).all()


def test_a_missing_bin_is_refused() -> None:
    losses = noisy(bin_means(power(3, 3, 0.5)), share=0.01)
    losses[0, 3] = np.nan
    with pytest.raises(AssertionError, match="a loss is missing"):
        fit_position_law(BINS, losses)


def test_a_curve_that_rises_is_a_converged_fit_without_a_power() -> None:
    fit = fit_position_law(BINS, bin_means(3.0 + np.arange(1024) * 1e-3)[None])
    assert fit.converged
    assert fit.values_RK[0, 1] == 0
    assert str(fit.params["a"].reason).endswith("the loss does not fall with position (A is 0)")
