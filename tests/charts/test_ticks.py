"""Ticks of log axes and how they are written."""

import pytest

from hf_ctxscale.charts.ticks import log_ticks, power_text, tick_text


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (1, 256, (1, 3, 10, 30, 100)),
        (25e3, 225e3, (30e3, 50e3, 100e3, 200e3)),
        (1e5, 1e9, (1e5, 1e6, 1e7, 1e8, 1e9)),
        (2.0, 6.0, (2, 3, 4, 5, 6)),
        (1e-3, 0.1, (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)),
    ],
)
def test_an_axis_has_plain_multiples_of_powers_of_ten(low: float, high: float, ticks: tuple[float, ...]) -> None:
    assert log_ticks(low, high) == pytest.approx(ticks)


@pytest.mark.parametrize("decades", [1, 3, 5, 8, 12, 17, 23])
def test_an_axis_has_no_more_ticks_than_fit(decades: int) -> None:
    assert 3 <= len(log_ticks(10.0**-3, 10.0 ** (decades - 3))) <= 8


@pytest.mark.parametrize(
    ("value", "counts", "text"),
    [
        (30e3, True, "30K"),
        (1.5e6, True, "1.5M"),
        (256, False, "256"),
        (0.003, False, "0.003"),
        (0.5, True, "0.5"),
        (3e15, False, "3·10¹⁵"),
        (1e-5, False, "10⁻⁵"),
    ],
)
def test_a_tick_is_a_count_a_plain_number_or_a_power_of_ten(value: float, counts: bool, text: str) -> None:
    assert tick_text(value, counts=counts) == text


def test_powers_of_ten_are_written_as_in_the_papers_figure() -> None:
    assert [power_text(10.0**power) for power in (5, 9, 0)] == ["10⁵", "10⁹", "10⁰"]
