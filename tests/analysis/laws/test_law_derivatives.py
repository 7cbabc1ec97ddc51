"""Analytic Jacobians of the laws against finite differences in float64."""

import numpy as np
import pytest
from plain_laws import noisy

from hf_ctxscale.analysis.laws.bases import power_basis
from hf_ctxscale.analysis.laws.joint_form import JointProblem
from hf_ctxscale.analysis.laws.separable import SeparableProblem
from hf_ctxscale.analysis.laws.separable_fit import joint_model

N, D = (grid.ravel() for grid in np.meshgrid(np.geomspace(1e6, 1e9, 4), np.geomspace(1e7, 1e10, 3)))
ROWS = np.arange(3)


def separable_problem(*, level: float = 1.7) -> SeparableProblem:
    losses = noisy(level + 400 * N**-0.34 + 400 * D**-0.28, share=0.01, num_replicates=2)
    return SeparableProblem(losses / losses[0], 1 / losses[0], (power_basis(N)[0], power_basis(D)[0]))


def test_the_joint_jacobian_of_a_separable_law_is_that_of_finite_differences() -> None:
    problem, params_L = separable_problem(), np.array([1.7, 0.8, 0.9, np.log(0.3), np.log(0.5)])
    step = 1e-6
    numeric = np.stack(
        [(joint_model(problem, params_L + h)[0] - joint_model(problem, params_L - h)[0]) / (2 * step) for h in step * np.eye(5)], axis=1
    )
    assert joint_model(problem, params_L)[1] == pytest.approx(numeric, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("level", [1.7, -5.0])  # below 0: E stays at its bound
def test_the_gradient_of_the_projected_problem_is_that_of_finite_differences(level: float) -> None:
    problem, log_gamma_MK = separable_problem(level=level), np.log([[0.3, 0.5], [0.2, 0.2], [1.0, 0.1]])
    residual_MP, jacobian_MKP = problem.projected(log_gamma_MK, ROWS)
    gradient_MK = 2 * (jacobian_MKP @ residual_MP[:, :, None])[:, :, 0]
    step = 1e-6
    for k in range(2):
        moved = [np.square(problem.projected(log_gamma_MK + sign * step * np.eye(2)[k], ROWS)[0]).sum(axis=1) for sign in (1, -1)]
        assert gradient_MK[:, k] == pytest.approx((moved[0] - moved[1]) / (2 * step), rel=1e-4, abs=1e-9)


def test_the_derivatives_of_the_joint_form_are_those_of_finite_differences() -> None:
    log_n, log_d = np.log(N), np.log(D)
    problem = JointProblem(log_n - log_n.mean(), log_d - log_d.mean(), np.zeros((1, len(N))), np.ones(len(N)))
    q_MK = np.array([[np.log(0.08), np.log(0.1), 1.1, 1.0], [np.log(0.5), np.log(0.05), 0.4, -0.3]])
    slopes_MKP = problem.log_model(q_MK)[1]
    step = 1e-6
    for k in range(4):
        moved = [problem.log_model(q_MK + sign * step * np.eye(4)[k])[0] for sign in (1, -1)]
        assert slopes_MKP[:, k] == pytest.approx((moved[0] - moved[1]) / (2 * step), rel=1e-5, abs=1e-8)
