"""Laws of loss against size: known answers, a slow version, other orders and units, and what has no answer."""

import numpy as np
import pytest
from plain_laws import noisy, plain_fit

from hf_ctxscale.analysis.laws.law_fit import LawFit
from hf_ctxscale.analysis.laws.size_laws import fit_offset_law, fit_paper_law

SIZES = np.array([25e3, 75e3, 200e3, 600e3, 2e6])
MANY = np.repeat(np.geomspace(2.5e4, 2.5e7, 5), 3)
NARROW = np.repeat(np.geomspace(2.5e4, 3e4, 5), 3)
TRUTH = {"e": 1.5, "a": 60.0, "alpha": 0.3}


def paper(n: np.ndarray, *, alpha: float = 0.076, n_c: float = 8.8e13) -> np.ndarray:
    return (n_c / n) ** alpha


def offset(n: np.ndarray, *, e: float = 1.5, a: float = 60.0, alpha: float = 0.3) -> np.ndarray:
    return e + a * n**-alpha


def values(fit: LawFit) -> dict[str, float | None]:
    return {name: param.value for name, param in fit.params.items()}


def test_the_papers_law_gives_back_its_parameters() -> None:
    fit = fit_paper_law(SIZES, paper(SIZES)[None])
    assert values(fit) == pytest.approx({"alpha": 0.076, "n_c": 8.8e13}, rel=1e-9)
    assert fit.residual_P == pytest.approx(np.zeros(5), abs=1e-12)
    assert fit.predict(np.array([1e9]))[0] == pytest.approx(paper(np.array([1e9])))
    assert fit.converged
    assert fit.reason is None


def test_the_papers_law_is_a_straight_line_in_logs() -> None:
    losses = noisy(paper(SIZES), share=0.01)
    fit = fit_paper_law(SIZES, losses)
    slopes = [-np.polyfit(np.log(SIZES), np.log(row), 1)[0] for row in losses]
    assert fit.values_RK[:, 0] == pytest.approx(slopes, rel=1e-9)
    assert fit.params["alpha"].low == pytest.approx(np.quantile(slopes[1:], 0.025, method="lower"), rel=1e-9)
    assert fit.params["alpha"].high == pytest.approx(np.quantile(slopes[1:], 0.975, method="higher"), rel=1e-9)


def test_known_variances_weigh_the_points_of_the_papers_law() -> None:
    loss_P, variance_P = noisy(paper(SIZES), share=0.02)[0], np.array([1.0, 4.0, 1.0, 9.0, 1.0]) * 1e-4
    slope = -np.polyfit(np.log(SIZES), np.log(loss_P), 1, w=loss_P / np.sqrt(variance_P))[0]
    fit = fit_paper_law(SIZES, loss_P[None], variance_P=variance_P)
    assert fit.params["alpha"].value == pytest.approx(slope)


@pytest.mark.parametrize("sizes", [SIZES[:1], np.array([25e3, 25e3])])
def test_one_size_gives_no_law_and_the_reason(sizes: np.ndarray) -> None:
    fit = fit_paper_law(sizes, np.full((31, len(sizes)), 3.0))
    assert not fit.converged
    assert fit.reason == "a power law needs two sizes or more; this series has 1"
    assert values(fit) == {"alpha": None, "n_c": None}
    assert fit.values_RK.shape == (0, 2)
    assert np.isnan(fit.predict(SIZES)).all()


def test_two_sizes_give_the_papers_law_with_intervals() -> None:
    fit = fit_paper_law(SIZES[:2], noisy(paper(SIZES[:2]), share=0.001))
    assert fit.residual_P == pytest.approx([0, 0], abs=1e-12)
    low, high = fit.params["alpha"].low, fit.params["alpha"].high
    assert low is not None
    assert high is not None
    assert low < 0.076 < high


def test_losses_that_do_not_fall_with_size_have_no_scale() -> None:
    fit = fit_paper_law(SIZES[:3], np.tile([3.0, 3.1, 3.2], (31, 1)))
    alpha = fit.params["alpha"].value
    assert alpha is not None
    assert alpha < 0
    assert fit.params["n_c"].value is None
    assert fit.params["n_c"].reason == f"not identifiable: the loss does not fall with size (alpha = {alpha:.3g})"
    assert fit.predict(SIZES[:3])[0] == pytest.approx([3.0, 3.1, 3.2], rel=0.01)


@pytest.mark.parametrize("num_replicates", [0, 200])
def test_the_scale_is_not_identifiable_where_the_interval_of_alpha_reaches_zero(num_replicates: int) -> None:
    losses = noisy(paper(SIZES, alpha=0.002, n_c=1e200), share=0.02, num_replicates=200, seed=1)[: 1 + num_replicates]
    fit = fit_paper_law(SIZES, losses)
    assert fit.params["alpha"].value is not None
    assert fit.params["alpha"].value > 0
    assert fit.params["n_c"].value is None
    assert "the interval of alpha reaches 0" in str(fit.reason)


def test_without_replicates_values_stand_without_intervals() -> None:
    fit = fit_offset_law(MANY, noisy(offset(MANY), share=0.003)[:1])
    assert values(fit) == pytest.approx(TRUTH, rel=0.2)
    assert {(param.low, param.high, param.reason) for param in fit.params.values()} == {
        (None, None, "no interval: there are no replicates of the data")
    }
    assert fit.reason is None


def test_the_offset_law_gives_back_its_parameters() -> None:
    fit = fit_offset_law(MANY, noisy(offset(MANY), share=0.0))
    assert values(fit) == pytest.approx(TRUTH, rel=1e-9)
    assert fit.log_huber == pytest.approx(TRUTH, rel=1e-6)
    assert fit.converged
    assert fit.convergence is not None
    assert fit.convergence.starts_agreeing == fit.convergence.num_starts
    assert fit.predict(np.array([1e9]))[0] == pytest.approx(offset(np.array([1e9])))


@pytest.mark.parametrize("weighted", [False, True])
def test_every_replicate_of_the_offset_law_matches_a_plain_search(weighted: bool) -> None:
    losses = noisy(offset(MANY), share=0.005, num_replicates=4)
    variance_P = losses[0] ** 2 * np.linspace(1, 5, len(MANY)) * 1e-5 if weighted else None
    fit = fit_offset_law(MANY, losses, variance_P=variance_P)
    assert fit.params["e"].low is not None
    weights_P = np.ones(len(MANY)) if variance_P is None else losses[0] ** 2 / variance_P
    slow = plain_fit(
        lambda p: offset(MANY, e=p[0], a=p[1], alpha=p[2]), losses[0], starts=[(1, 2), (10, 100), (0.1, 0.5)], weights_P=weights_P
    )
    assert fit.values_RK[0] == pytest.approx(slow, rel=1e-6)
    # Replicates keep the denominators of the data.
    for row, found in zip(losses[1:], fit.values_RK[1:], strict=True):
        to_this_row = weights_P * (row / losses[0]) ** 2
        slow = plain_fit(
            lambda p: offset(MANY, e=p[0], a=p[1], alpha=p[2]), row, starts=[(1, 2), (10, 100), (0.1, 0.5)], weights_P=to_this_row
        )
        assert found == pytest.approx(slow, rel=1e-6)


@pytest.mark.parametrize("unit", [1e6, 1e9])
@pytest.mark.parametrize("fit_law", [fit_paper_law, fit_offset_law])
def test_a_law_in_other_units_of_n_gives_the_same_exponent_and_intervals(fit_law: object, unit: float) -> None:
    assert callable(fit_law)
    losses = noisy(offset(MANY), share=0.005)
    fit, other = fit_law(MANY, losses), fit_law(MANY / unit, losses)
    assert other.params["alpha"].value == pytest.approx(fit.params["alpha"].value, rel=1e-7)
    assert other.params["alpha"].low == pytest.approx(fit.params["alpha"].low, rel=1e-6)
    assert other.predicted_P == pytest.approx(fit.predicted_P, rel=1e-9)
    if fit_law is fit_offset_law:
        assert other.params["e"].value == pytest.approx(fit.params["e"].value, rel=1e-7)
        assert other.params["a"].value == pytest.approx(fit.params["a"].value * unit ** -fit.params["alpha"].value, rel=1e-6)
    else:
        assert other.params["n_c"].value == pytest.approx(fit.params["n_c"].value / unit, rel=1e-6)


@pytest.mark.parametrize("fit_law", [fit_paper_law, fit_offset_law])
def test_the_order_of_the_points_does_not_matter(fit_law: object) -> None:
    assert callable(fit_law)
    losses = noisy(offset(MANY), share=0.005)
    order = np.random.default_rng(3).permutation(len(MANY))
    fit, other = fit_law(MANY, losses), fit_law(MANY[order], losses[:, order])
    for name, param in fit.params.items():
        assert (other.params[name].value, other.params[name].low) == pytest.approx((param.value, param.low), rel=1e-6)
    assert other.residual_P == pytest.approx(fit.residual_P[order], abs=1e-9)


def test_three_sizes_are_too_few_for_three_parameters() -> None:
    fit = fit_offset_law(MANY[:9], noisy(offset(MANY[:9]), share=0.01))
    assert not fit.converged
    assert fit.reason == "three parameters need 4 sizes or more; this series has 3"
    assert fit.profiles == ()


@pytest.mark.parametrize("num_replicates", [0, 200])
@pytest.mark.parametrize(
    ("sizes", "loss_P", "reason"),
    [
        (NARROW, offset(NARROW), "where the loss levels off|runs to the end|held at"),
        (MANY, np.full(15, 3.0), "does not fall with size|runs to the end|held at|levels off"),
        (MANY, 12 * MANY**-0.09, "where the loss levels off"),
    ],
)
def test_a_law_that_the_data_do_not_pin_down_is_not_identifiable(
    sizes: np.ndarray, loss_P: np.ndarray, reason: str, num_replicates: int
) -> None:
    fit = fit_offset_law(sizes, noisy(loss_P, share=0.01, num_replicates=num_replicates))
    for param in fit.params.values():
        assert param.value is None
        assert str(param.reason).startswith("not identifiable: ")
        assert any(part in str(param.reason) for part in reason.split("|"))
    assert np.isfinite(fit.predict(sizes)).all()
    assert np.isfinite(fit.values_RK).all()


def test_the_profile_shows_why_an_exponent_is_not_identifiable() -> None:
    wide_fit, narrow_fit = (fit_offset_law(sizes, noisy(offset(sizes), share=0.03)[:1]) for sizes in (MANY, NARROW))
    (wide_profile,), (narrow_profile,) = wide_fit.profiles, narrow_fit.profiles
    assert wide_profile.parameter == "alpha"
    assert len(wide_profile.at_K) == len(wide_profile.rise_K) == 33
    assert wide_profile.rise_K.min() == pytest.approx(0, abs=1e-9)
    assert wide_profile.rise_K[[0, -1]].min() > 3
    assert narrow_profile.rise_K[[0, -1]].min() < 0.3
    assert narrow_fit.params["alpha"].value is None


@pytest.mark.parametrize("fit_law", [fit_paper_law, fit_offset_law])
@pytest.mark.parametrize("bad", [np.nan, 0.0, -1.0])
def test_a_missing_or_impossible_loss_is_refused(fit_law: object, bad: float) -> None:
    assert callable(fit_law)
    losses = noisy(offset(MANY), share=0.01)
    losses[3, 2] = bad
    with pytest.raises(AssertionError, match="a loss is"):
        fit_law(MANY, losses)
