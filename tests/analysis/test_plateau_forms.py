"""The shapes of a loss against position, and their least-squares fits against a slow solver."""

from typing import Any

import numpy as np
import pytest
from scipy.optimize import nnls

from hf_ctxscale.analysis.plateau_forms import EXPONENTS, Form, fit_form, plateau_bins, plateau_forms
from hf_ctxscale.analysis.positions import log_bins


def forms_by_name(context_tokens: int, *, num_tokens_T: np.ndarray | None = None) -> dict[str, Form]:
    num_tokens_T = np.full(context_tokens, 7) if num_tokens_T is None else num_tokens_T
    return {form.name: form for form in plateau_forms(num_tokens_T, bins=plateau_bins(context_tokens))}


def test_bins_have_an_edge_in_the_middle_of_any_context() -> None:
    assert plateau_bins(256) == log_bins(256)
    for context_tokens in (10, 100, 500, 1000):
        bins = plateau_bins(context_tokens)
        assert context_tokens // 2 in {last for _, last in bins}
        assert [t for first, last in bins for t in range(first, last + 1)] == list(range(1, context_tokens + 1))


def test_bases_are_the_exact_means_of_the_forms_over_the_tokens_of_each_bin() -> None:
    rng = np.random.default_rng(0)
    num_tokens_T = rng.integers(1, 50, 100)
    t = np.arange(1, 101.0)
    forms = forms_by_name(100, num_tokens_T=num_tokens_T)
    stops = [last for _, last in plateau_bins(100) if 2 <= last <= 50]
    assert sorted(set(forms["power law that stops at k"].stop_G)) == stops == forms["flat after k"].stop_G.tolist()

    def slow(curve_T: np.ndarray) -> list[float]:
        return [np.average(curve_T[first - 1 : last], weights=num_tokens_T[first - 1 : last]) for first, last in plateau_bins(100)]

    for form in forms.values():
        for g in range(0, len(form.basis_GW), 97):
            alpha, stop = form.alpha_G[g], form.stop_G[g]
            curve_T = {
                "flat after k": lambda k: np.maximum(0, np.log(k) - np.log(t)),
                "power law": lambda _, a=alpha: t**-a,
                "power law that stops at k": lambda k, a=alpha: np.minimum(t, k) ** -a,
            }[form.name](stop)
            np.testing.assert_allclose(form.basis_GW[g], slow(curve_T), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", ["flat after k", "power law", "power law that stops at k"])
def test_fits_are_those_of_a_slow_solver_for_every_basis_in_turn(name: Any) -> None:
    rng = np.random.default_rng(1)
    bins = plateau_bins(64)
    form = forms_by_name(64)[name]
    t = np.array([(first * last) ** 0.5 for first, last in bins])
    # The constant at its bound, nothing but the constant, and ordinary curves.
    curves = np.array([4 * t**-0.6 - 0.3, 2 + 0.2 * np.log(t), 2 + 2 * t**-0.5, 3 + np.maximum(0, np.log(12 / t))])
    curves += rng.normal(0, 0.02, curves.shape)
    weight_W = rng.uniform(0.5, 2, len(bins))
    fitted = fit_form(curves, basis_GW=form.basis_GW, weight_W=weight_W)
    root_W = np.sqrt(weight_W)
    for s, curve_W in enumerate(curves):
        slow = [nnls(np.stack([root_W, root_W * basis_W], axis=1), root_W * curve_W) for basis_W in form.basis_GW]
        best = min(error for _, error in slow)
        found = np.linalg.norm(root_W * (curve_W - fitted.values(form.basis_GW)[s]))
        assert found == pytest.approx(best, rel=1e-9)
        assert fitted.c_S[s] >= 0
        assert fitted.b_S[s] >= 0
    assert fitted.b_S[1] == 0  # a rising curve


def test_a_curve_of_each_form_gives_back_its_parameters() -> None:
    bins = plateau_bins(1024)
    forms = forms_by_name(1024)
    alpha = EXPONENTS[120]
    for name, wanted in (
        ("flat after k", {"c": 3.0, "b": 0.4, "k": 64.0}),
        ("power law", {"l_inf": 2.0, "a": 3.0, "alpha": alpha}),
        ("power law that stops at k", {"l_inf": 2.0, "a": 3.0, "alpha": alpha, "k": 64.0}),
    ):
        form = forms[name]
        basis = int(np.flatnonzero((form.stop_G == wanted.get("k", 0)) | np.isnan(form.stop_G) & ("k" not in wanted))[0])
        if "alpha" in wanted:
            basis = int(np.flatnonzero((form.alpha_G == alpha) & ((form.stop_G == 64) | np.isnan(form.stop_G)))[0])
        c, b = list(wanted.values())[:2]
        fit = fit_form((c + b * form.basis_GW[basis])[None], basis_GW=form.basis_GW, weight_W=np.ones(len(bins)))
        found = form.params(best=int(fit.best_S[0]), c=float(fit.c_S[0]), b=float(fit.b_S[0]))
        assert found == pytest.approx(wanted, rel=1e-6)
