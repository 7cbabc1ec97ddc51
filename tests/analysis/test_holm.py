"""Holm's correction against the procedure as Holm wrote it."""

import numpy as np
import pytest
from scipy import stats

from hf_ctxscale.analysis.holm import holm


def rejected_step_by_step(p_values: list[float], level: float) -> set[int]:
    """The smallest p against level/m, the next one against level/(m-1), until one is too large."""
    rejected: set[int] = set()
    for place in sorted(range(len(p_values)), key=p_values.__getitem__):
        if p_values[place] > level / (len(p_values) - len(rejected)):
            break
        rejected.add(place)
    return rejected


@pytest.mark.parametrize("seed", range(20))
def test_adjusted_values_reject_what_the_steps_reject_at_every_level(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p_values = rng.uniform(0, 0.3, rng.integers(1, 12)).tolist()
    adjusted = holm(p_values)
    for level in (0.001, 0.01, 0.05, 0.2, 0.9):
        assert {place for place, p in enumerate(adjusted) if p <= level} == rejected_step_by_step(p_values, level)


def test_it_lies_between_the_plain_values_and_bonferronis() -> None:
    p_values = np.random.default_rng(0).uniform(size=30)
    adjusted = np.array(holm(p_values.tolist()))
    assert (adjusted >= p_values).all()
    assert (adjusted <= np.minimum(30 * p_values, 1)).all()


def test_a_known_example() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))


def test_ties_get_the_same_value_and_nothing_stays_nothing() -> None:
    assert holm([0.02, 0.02]) == (0.04, 0.04)
    assert holm([]) == ()


def test_a_false_finding_occurs_in_at_most_the_share_that_is_claimed() -> None:
    rng, num = np.random.default_rng(0), 2_000
    # Questions that share documents are correlated.
    normal = rng.normal(size=(num, 10)) + rng.normal(size=(num, 1))
    p_values = 2 * stats.norm.sf(np.abs(normal) / np.sqrt(2))
    findings = sum(min(holm(row.tolist())) <= 0.05 for row in p_values)
    assert findings / num < 0.05 + 3 * np.sqrt(0.05 * 0.95 / num)
