"""Where labels at the ends of lines are put."""

import numpy as np
import pytest
from scipy.optimize import minimize

from hf_ctxscale.charts.line_labels import spread


def test_labels_that_stand_apart_stay_at_their_lines() -> None:
    assert spread([0.9, 0.1, 0.5], gap=0.1) == pytest.approx([0.9, 0.1, 0.5])


def test_two_labels_at_one_height_move_apart_evenly() -> None:
    assert spread([0.5, 0.5], gap=0.2) == pytest.approx([0.4, 0.6])


def test_labels_keep_their_order_their_distance_and_their_bounds() -> None:
    wanted = np.random.default_rng(0).uniform(0, 0.3, 12)
    heights = np.array(spread(list(wanted), gap=0.07))
    assert (np.diff(heights[np.argsort(wanted)]) >= 0.07 - 1e-12).all()
    assert heights.min() >= 0
    assert heights.max() <= 1


def test_heights_are_the_nearest_ones_that_keep_their_distance() -> None:
    wanted = np.sort(np.random.default_rng(1).uniform(0.35, 0.65, 6))
    constraints = [{"type": "ineq", "fun": lambda h, i=i: h[i + 1] - h[i] - 0.06} for i in range(5)]
    best = minimize(lambda h: np.square(h - wanted).sum(), np.linspace(0, 1, 6), constraints=constraints, tol=1e-12).x
    assert spread(list(wanted), gap=0.06) == pytest.approx(list(best), abs=1e-4)
