"""How numbers are written."""

import math

import pytest

from hf_ctxscale.reporting.numbers import counted, estimate, interval, number, percent, significant, whole


@pytest.mark.parametrize(
    ("value", "signed", "text"),
    [
        (2.8794, False, "2.879"),
        (0.1151, True, "+0.115"),
        (-0.0194, True, "−0.019"),
        (-0.0001, True, "0.000"),
        (None, False, "—"),
        (math.nan, True, "—"),
    ],
)
def test_numbers_have_three_decimals_and_a_sign_where_they_are_differences(value: float | None, signed: bool, text: str) -> None:
    assert number(value, signed=signed) == text


def test_an_interval_without_one_of_its_ends_is_none() -> None:
    assert interval(-0.01, 0.02, signed=True) == "[−0.010, +0.020]"
    assert interval(None, 0.02) == "—"


def test_an_estimate_without_an_interval_is_its_value_alone() -> None:
    assert estimate(2.879, 2.81, 2.94) == "2.879 [2.810, 2.940]"
    assert estimate(2.879, None, None) == "2.879"
    assert estimate(None, None, None) == "—"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.076, "0.0760"),
        (12.34, "12.3"),
        (8.8e13, "8.80e13"),
        (1.5e-7, "1.50e−7"),
        (-0.5, "−0.500"),
        (0.0, "0.00"),
        (99_999.0, "99999"),
        (None, "—"),
    ],
)
def test_parameters_of_any_size_have_three_digits(value: float | None, text: str) -> None:
    assert significant(value) == text


def test_counts_and_shares() -> None:
    assert (whole(26_312), whole(None), percent(0.0121, signed=True), percent(None)) == ("26,312", "—", "+1.2 %", "—")
    assert (counted(1, "seed"), counted(3, "seed")) == ("1 seed", "3 seeds")
