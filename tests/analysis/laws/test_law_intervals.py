"""Percentile intervals of parameters, and the reasons why there is none."""

import math

import numpy as np
import pytest

from hf_ctxscale.analysis.laws.intervals import Bound, bound_obstacle, parameters, percentile_limits, unconverged_obstacle


def at(num: int, *, first: bool = False) -> np.ndarray:
    """Of 100 replicates, so many at the bound."""
    return np.array([first, *([True] * num), *([False] * (100 - num))])


def test_limits_are_percentiles_of_the_replicates_without_the_data() -> None:
    assert percentile_limits(np.array([1e9, *range(1, 1001)]), confidence=0.9) == (50, 951)


def test_a_few_infinite_replicates_do_no_harm_to_the_limits() -> None:
    values_R = np.array([5.0, *range(1, 100), math.inf])
    assert percentile_limits(values_R, confidence=0.9) == (5, 96)
    assert parameters({"n_c": values_R}, obstacles={}, confidence=0.9)["n_c"].high == 96


def test_a_limit_beyond_what_a_float_holds_is_no_limit() -> None:
    param = parameters({"n_c": np.array([5.0, *range(1, 91), *([math.inf] * 10)])}, obstacles={}, confidence=0.95)["n_c"]
    assert (param.value, param.low, param.high) == (5.0, None, None)
    assert param.reason == "no interval: its limits are beyond what a float holds"


def test_a_value_beyond_what_a_float_holds_is_not_identifiable() -> None:
    param = parameters({"n_c": np.array([math.inf, *range(1, 100)])}, obstacles={}, confidence=0.95)["n_c"]
    assert param.value is None
    assert param.reason == "not identifiable: its value is beyond what a float holds"


@pytest.mark.parametrize(("num", "reason"), [(2, None), (3, "in 3 % of the replicates E is 0")])
def test_more_replicates_at_a_bound_than_lie_beyond_the_interval_leave_it_open(num: int, reason: str | None) -> None:
    assert bound_obstacle([Bound(at(num), "E is 0")], confidence=0.95) == reason


def test_data_that_are_at_a_bound_say_so_themselves() -> None:
    assert bound_obstacle([Bound(at(0, first=True), "E is 0")], confidence=0.95) == "E is 0"


def test_replicates_that_did_not_converge_may_be_one_in_a_hundred() -> None:
    assert unconverged_obstacle(np.array([True] * 99 + [False])) is None
    assert unconverged_obstacle(np.array([True] * 98 + [False] * 2)) == "2 % of the replicates did not converge"
