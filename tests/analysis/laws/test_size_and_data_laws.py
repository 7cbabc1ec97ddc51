"""Laws of loss against size and data: published parameters from points made by them, a slow version, units, order, and what has no answer."""

import numpy as np
import pytest
from plain_laws import noisy, plain_fit

from hf_ctxscale.analysis.laws.law_fit import LawFit
from hf_ctxscale.analysis.laws.size_and_data_laws import fit_joint_law, fit_sum_law
from hf_ctxscale.paper import JOINT

HOFFMANN = {"e": 1.69, "a": 406.4, "alpha": 0.34, "b": 410.7, "beta": 0.28}
BESIROGLU = {"e": 1.8172, "a": 482.01, "alpha": 0.3478, "b": 2085.43, "beta": 0.3658}
N, D = (grid.ravel() for grid in np.meshgrid(np.geomspace(5e7, 1.6e10, 5), np.geomspace(1e9, 5e11, 4)))


def summed(n: np.ndarray, d: np.ndarray, *, e: float, a: float, alpha: float, b: float, beta: float) -> np.ndarray:
    return e + a * n**-alpha + b * d**-beta


def log_joint(n: np.ndarray, d: np.ndarray, *, alpha_n: float, alpha_d: float, n_c: float, d_c: float) -> np.ndarray:
    return alpha_d * np.logaddexp(alpha_n / alpha_d * np.log(n_c / n), np.log(d_c / d))


def joint(n: np.ndarray, d: np.ndarray, **params: float) -> np.ndarray:
    return np.exp(log_joint(n, d, **params))


def values(fit: LawFit) -> dict[str, float | None]:
    return {name: param.value for name, param in fit.params.items()}


@pytest.mark.parametrize("truth", [HOFFMANN, BESIROGLU])
def test_the_sum_law_recovers_published_parameters_from_points_made_by_them(truth: dict[str, float]) -> None:
    fit = fit_sum_law(N, D, summed(N, D, **truth)[None])
    assert values(fit) == pytest.approx(truth, rel=1e-7)
    assert fit.log_huber == pytest.approx(truth, rel=1e-6)
    assert fit.converged
    assert fit.convergence is not None
    assert fit.convergence.starts_agreeing > 5
    assert fit.predict(np.array([1e11]), np.array([1e12]))[0] == pytest.approx(summed(np.array([1e11]), np.array([1e12]), **truth))


@pytest.mark.parametrize("truth", [HOFFMANN, BESIROGLU])
def test_intervals_of_the_sum_law_hold_the_published_parameters(truth: dict[str, float]) -> None:
    fit = fit_sum_law(N, D, noisy(summed(N, D, **truth), share=0.002, seed=4))
    assert fit.reason is None
    for name, param in fit.params.items():
        assert param.low is not None
        assert param.high is not None
        assert param.low < truth[name] < param.high
        assert param.high - param.low < 0.6 * truth[name]


def test_every_replicate_of_the_sum_law_matches_a_plain_search() -> None:
    losses = noisy(summed(N, D, **HOFFMANN), share=0.004, num_replicates=2)
    fit = fit_sum_law(N, D, losses)
    for row, found in zip(losses, fit.values_RK, strict=True):
        slow = plain_fit(
            lambda p: p[0] + p[1] * (N / 1e9) ** -p[2] + p[3] * (D / 1e10) ** -p[4],
            row,
            starts=[(1, 2), (0.3,), (0.2, 0.6), (0.5,), (0.2, 0.6)],
            weights_P=(row / losses[0]) ** 2,
        )
        slow[1], slow[3] = slow[1] * 1e9 ** slow[2], slow[3] * 1e10 ** slow[4]
        assert found == pytest.approx(slow, rel=1e-5)


def test_the_joint_law_recovers_the_papers_parameters_from_points_made_by_them() -> None:
    n, d = N / 100, D / 100
    fit = fit_joint_law(n, d, joint(n, d, **JOINT)[None])
    assert values(fit) == pytest.approx(JOINT, rel=1e-6)
    assert fit.log_huber == pytest.approx(JOINT, rel=1e-5)
    assert fit.converged
    assert fit.predict(np.array([1e11]), np.array([1e12]))[0] == pytest.approx(joint(np.array([1e11]), np.array([1e12]), **JOINT))


def test_every_replicate_of_the_joint_law_matches_a_plain_search() -> None:
    n, d = N / 100, D / 100
    losses = noisy(joint(n, d, **JOINT), share=0.003, num_replicates=2)
    fit = fit_joint_law(n, d, losses)
    for row, found in zip(losses, fit.values_RK, strict=True):
        slow = plain_fit(
            lambda p: 1 + log_joint(n, d, alpha_n=p[0], alpha_d=p[1], n_c=p[2] * 1e13, d_c=p[3] * 1e13) - np.log(row),  # noqa: B023
            np.ones(len(n)),
            starts=[(0.06, 0.1), (0.08, 0.2), (3, 10), (1,)],
        )
        slow[2:] *= 1e13
        assert found == pytest.approx(slow, rel=1e-4)


@pytest.mark.parametrize("unit", [1e6, 1e9])
def test_size_and_data_in_other_units_give_the_same_exponents(unit: float) -> None:
    losses = noisy(summed(N, D, **HOFFMANN), share=0.004, num_replicates=60)
    fit, other = fit_sum_law(N, D, losses), fit_sum_law(N / unit, D / unit, losses)
    fit_joint, other_joint = fit_joint_law(N, D, losses), fit_joint_law(N / unit, D / unit, losses)
    for name in ("e", "alpha", "beta"):
        assert (other.params[name].value, other.params[name].low) == pytest.approx((fit.params[name].value, fit.params[name].low), rel=1e-5)
    for k, name in enumerate(("alpha_n", "alpha_d", "n_c", "d_c")):
        scale = 1 if k < 2 else unit
        assert other_joint.values_RK[0, k] * scale == pytest.approx(fit_joint.values_RK[0, k], rel=1e-5), name
    assert other_joint.predicted_P == pytest.approx(fit_joint.predicted_P, rel=1e-7)


def test_the_order_of_the_runs_does_not_matter() -> None:
    losses = noisy(summed(N, D, **HOFFMANN), share=0.004, num_replicates=60)
    order = np.random.default_rng(0).permutation(len(N))
    for fit_law in (fit_sum_law, fit_joint_law):
        fit, other = fit_law(N, D, losses), fit_law(N[order], D[order], losses[:, order])
        assert other.values_RK[0] == pytest.approx(fit.values_RK[0], rel=1e-5)
        assert other.residual_P == pytest.approx(fit.residual_P[order], abs=1e-7)


@pytest.mark.parametrize("fit_law", [fit_sum_law, fit_joint_law])
def test_three_sizes_or_two_budgets_are_too_few(fit_law: object) -> None:
    assert callable(fit_law)
    few_sizes, few_budgets = np.unique(N)[:3], np.unique(D)[:2]
    for kept in (np.isin(N, few_sizes), np.isin(D, few_budgets)):
        fit = fit_law(N[kept], D[kept], summed(N[kept], D[kept], **HOFFMANN)[None])
        assert not fit.converged
        assert "need 4 sizes or more with 3 budgets of tokens or more each" in fit.reason
        assert np.isnan(fit.predict(N, D)).all()


@pytest.mark.parametrize("num_replicates", [0, 100])
def test_a_loss_that_does_not_depend_on_data_leaves_their_exponent_not_identifiable(num_replicates: int) -> None:
    losses = noisy(1.7 + 400 * N**-0.34, share=0.003, num_replicates=num_replicates)
    fit = fit_sum_law(N, D, losses)
    for name in ("b", "beta", "e"):
        assert fit.params[name].value is None
        assert str(fit.params[name].reason).startswith("not identifiable: ")
    of_power = fit_joint_law(N, D, noisy((8.8e13 / N) ** 0.076, share=0.003, num_replicates=num_replicates))
    assert of_power.params["alpha_d"].value is None
    assert of_power.params["d_c"].value is None


def test_profiles_of_both_exponents_close_where_the_data_pin_them_down() -> None:
    n, d = N / 100, D / 100
    of_sum = fit_sum_law(N, D, noisy(summed(N, D, **HOFFMANN), share=0.001, num_replicates=0))
    of_joint = fit_joint_law(n, d, noisy(joint(n, d, **JOINT), share=0.001, num_replicates=0))
    for fit, names in ((of_sum, ("alpha", "beta")), (of_joint, ("alpha_n", "alpha_d"))):
        assert tuple(profile.parameter for profile in fit.profiles) == names
        for profile in fit.profiles:
            assert profile.rise_K.min() == pytest.approx(0, abs=1e-6)
            assert (np.diff(profile.at_K) > 0).all()
            assert profile.rise_K[[0, -1]].min() > 10
