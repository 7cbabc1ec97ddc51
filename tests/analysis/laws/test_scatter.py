"""Replicates of tables without documents: errors as given, or as the scatter about the fit says."""

import numpy as np
import pytest
from plain_laws import noisy

from hf_ctxscale.analysis.laws.scatter import scatter_replicates
from hf_ctxscale.analysis.laws.size_laws import fit_paper_law

SIZES = np.geomspace(1e4, 1e7, 6)
PREDICTED = (8.8e13 / SIZES) ** 0.076


def test_the_first_row_is_the_data_and_the_others_lie_about_the_fit() -> None:
    losses = noisy(PREDICTED, share=0.01)[0]
    replicates = scatter_replicates(losses, predicted_P=PREDICTED, num_params=2, num_replicates=4000)
    assert replicates.shape == (4001, 6)
    assert (replicates[0] == losses).all()
    assert replicates[1:].mean(axis=0) == pytest.approx(PREDICTED, rel=0.002)


def test_given_errors_are_the_spread_of_the_replicates() -> None:
    errors = np.linspace(0.01, 0.06, 6)
    replicates = scatter_replicates(PREDICTED, predicted_P=PREDICTED, num_params=2, std_error_P=errors, num_replicates=4000)
    assert replicates[1:].std(axis=0) == pytest.approx(errors, rel=0.05)


def test_intervals_from_the_scatter_are_those_of_students_t() -> None:
    losses = noisy(PREDICTED, share=0.01, seed=2)[0]
    plain = fit_paper_law(SIZES, losses[None])
    replicates = scatter_replicates(losses, predicted_P=plain.predicted_P, num_params=2, num_replicates=8000)
    fit = fit_paper_law(SIZES, replicates)
    centred = np.log(SIZES) - np.log(SIZES).mean()
    error = np.sqrt(np.square(losses / plain.predicted_P - 1).sum() / 4 / (centred @ centred))
    assert fit.params["alpha"].low == pytest.approx(fit.params["alpha"].value - 2.776 * error, abs=0.1 * error)  # t, 4 degrees of freedom
    assert fit.params["alpha"].high == pytest.approx(fit.params["alpha"].value + 2.776 * error, abs=0.1 * error)


def test_the_same_seed_gives_the_same_replicates() -> None:
    first, again, other = (scatter_replicates(PREDICTED * 1.01, predicted_P=PREDICTED, num_params=2, seed=seed) for seed in (3, 3, 4))
    assert (first == again).all()
    assert (first != other).any()


@pytest.mark.parametrize(("num_points", "predicted"), [(2, PREDICTED[:2]), (6, np.full(6, np.nan))])
def test_without_a_fit_or_a_degree_of_freedom_there_is_only_the_data(num_points: int, predicted: np.ndarray) -> None:
    assert scatter_replicates(PREDICTED[:num_points], predicted_P=predicted, num_params=2).shape == (1, num_points)
