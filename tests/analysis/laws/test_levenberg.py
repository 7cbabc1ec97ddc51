"""Many small least-squares problems at once: each ends where scipy ends, bounds hold, and what does not converge says so."""

import numpy as np
import pytest
from scipy.optimize import least_squares

from hf_ctxscale.analysis.laws import levenberg
from hf_ctxscale.analysis.laws.levenberg import minimise

X = np.linspace(0, 2, 9)


def decay(data_MP: np.ndarray) -> levenberg.Evaluate:
    def evaluate(params_AK: np.ndarray, rows_A: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        powers = np.exp(-params_AK[:, 1, None] * X)
        residual = params_AK[:, 0, None] * powers - data_MP[rows_A]
        return residual, np.stack([powers, -params_AK[:, 0, None] * X * powers], axis=1)

    return evaluate


def made_up(num: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.uniform(1, 5, (num, 1)) * np.exp(-rng.uniform(0.2, 3, (num, 1)) * X) + 0.05 * rng.normal(size=(num, len(X)))


def test_every_problem_ends_where_scipy_ends() -> None:
    data_MP = made_up(20)
    found = minimise(decay(data_MP), np.ones((20, 2)), low_K=np.zeros(2), high_K=np.full(2, 50.0), negligible=0.0)
    assert found.converged_M.all()
    assert found.gradient_M.max() < 1e-6
    for data_P, params_K, objective in zip(data_MP, found.params_MK, found.objective_M, strict=True):
        slow = least_squares(lambda p: p[0] * np.exp(-p[1] * X) - data_P, np.ones(2), xtol=1e-15, ftol=1e-15, gtol=1e-15)  # noqa: B023
        assert params_K == pytest.approx(slow.x, rel=1e-6)
        assert objective == pytest.approx(2 * slow.cost, rel=1e-9)


def test_parameters_stop_at_their_bounds() -> None:
    data_MP = made_up(20)
    low_K, high_K = np.array([2.0, 0.0]), np.array([3.0, 1.0])
    found = minimise(decay(data_MP), np.full((20, 2), 2.5), low_K=low_K, high_K=high_K, negligible=0.0)
    assert (found.params_MK >= low_K).all()
    assert (found.params_MK <= high_K).all()
    for data_P, objective in zip(data_MP, found.objective_M, strict=True):
        slow = least_squares(lambda p: p[0] * np.exp(-p[1] * X) - data_P, (2.5, 0.5), bounds=(low_K, high_K), xtol=1e-12, ftol=1e-12)  # noqa: B023
        assert objective == pytest.approx(2 * slow.cost, rel=1e-5)


def test_a_held_parameter_does_not_move() -> None:
    data_MP = made_up(3)
    free_MK = np.array([[True, False]] * 3)
    start_MK = np.tile([1.0, 0.7], (3, 1))
    found = minimise(decay(data_MP), start_MK, low_K=np.zeros(2), high_K=np.full(2, 50.0), negligible=0.0, free_MK=free_MK)
    powers = np.exp(-0.7 * X)
    assert found.params_MK[:, 1] == pytest.approx(np.full(3, 0.7))
    assert found.params_MK[:, 0] == pytest.approx(data_MP @ powers / (powers @ powers))


def test_what_runs_out_of_steps_has_not_converged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(levenberg, "MAX_STEPS", 1)
    found = minimise(decay(made_up(5)), np.full((5, 2), 20.0), low_K=np.zeros(2), high_K=np.full(2, 50.0), negligible=0.0)
    assert not found.converged_M.any()


def test_data_without_noise_are_converged_although_rounding_has_no_direction() -> None:
    data_MP = 2 * np.exp(-X)[None]
    found = minimise(decay(data_MP), np.ones((1, 2)), low_K=np.zeros(2), high_K=np.full(2, 50.0), negligible=1e-24)
    assert found.converged_M.all()
    assert found.params_MK[0] == pytest.approx([2, 1], rel=1e-10)
