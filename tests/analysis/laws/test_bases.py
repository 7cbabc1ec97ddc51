"""Bases: means of powers over bins against plain sums, and their derivatives."""

import numpy as np
import pytest

from hf_ctxscale.analysis.laws.bases import bin_basis, power_basis
from hf_ctxscale.analysis.positions import log_bins


@pytest.mark.parametrize("context_tokens", [16, 1024, 65536])
def test_means_of_powers_over_bins_are_exact_between_the_nodes(context_tokens: int) -> None:
    bins = log_bins(context_tokens)
    num_tokens_T = np.random.default_rng(0).integers(1, 9, context_tokens)
    values = bin_basis(bins, num_tokens_T=num_tokens_T, max_exponent=4.0)
    exponents = np.concatenate([np.random.default_rng(1).uniform(0.01, 4, 20), [0.01, 4.0]])
    found_MW, slopes_MW = values(exponents)
    t = np.arange(1, context_tokens + 1.0)
    for exponent, found_W, slopes_W in zip(exponents, found_MW, slopes_MW, strict=True):
        for (first, last), mean, slope in zip(bins, found_W, slopes_W, strict=True):
            inside = slice(first - 1, last)
            powers = t[inside] ** -exponent
            assert mean == pytest.approx(np.average(powers, weights=num_tokens_T[inside]), rel=1e-10)
            assert slope == pytest.approx(np.average(-np.log(t[inside]) * powers, weights=num_tokens_T[inside]), rel=1e-8, abs=1e-14)


def test_powers_have_a_geometric_mean_of_one_and_know_their_slope() -> None:
    x = np.geomspace(2e4, 7e9, 9)
    basis, middle = power_basis(x)
    exponents = np.array([0.05, 0.3, 2.0])
    values_MP, slopes_MP = basis(exponents)
    assert values_MP == pytest.approx((x / np.exp(middle)) ** -exponents[:, None])
    assert np.log(values_MP).mean(axis=1) == pytest.approx(np.zeros(3), abs=1e-12)
    step = 1e-6
    numeric = (basis(exponents + step)[0] - basis(exponents - step)[0]) / (2 * step)
    assert slopes_MP == pytest.approx(numeric, rel=1e-6)
