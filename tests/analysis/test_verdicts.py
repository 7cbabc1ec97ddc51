"""Verdict rules at their edges."""

import pytest

from hf_ctxscale.analysis.estimates import Estimate, no_estimate
from hf_ctxscale.analysis.verdicts import EPSILON_NATS, MIN_DOCUMENTS, Rule, above, flat


def interval(low: float, high: float, *, num_documents: int = 30) -> Estimate:
    return Estimate((low + high) / 2, low, high, (high - low) / 4, 0.95, num_documents)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.001, 0.1, "supported"),
        (0.0, 0.1, "undecided"),
        (-0.1, 0.1, "undecided"),
        (-0.1, 0.0, "undecided"),
        (-0.1, -0.001, "not supported"),
    ],
)
def test_above_zero(low: float, high: float, verdict: str) -> None:
    assert above(0.0).judge(interval(low, high)) == (verdict, None)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.021, 0.1, "supported"),
        (0.02, 0.1, "undecided"),
        (0.01, 0.1, "undecided"),
        (0.005, 0.02, "undecided"),
        (0.005, 0.019, "not supported"),
        (-0.1, -0.05, "not supported"),
    ],
)
def test_above_epsilon(low: float, high: float, verdict: str) -> None:
    assert above(EPSILON_NATS).judge(interval(low, high)) == (verdict, None)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (-0.019, 0.019, "supported"),
        (0.005, 0.01, "supported"),  # a difference, but too small to count
        (-0.02, 0.019, "undecided"),
        (-0.019, 0.02, "undecided"),
        (-0.05, 0.05, "undecided"),  # not significant is not flat
        (0.01, 0.03, "undecided"),
        (0.02, 0.03, "undecided"),
        (0.021, 0.03, "not supported"),
        (-0.03, -0.021, "not supported"),
    ],
)
def test_flat(low: float, high: float, verdict: str) -> None:
    assert flat().judge(interval(low, high)) == (verdict, None)


@pytest.mark.parametrize("rule", [above(0.0), above(EPSILON_NATS), flat()])
def test_too_few_documents_leave_it_undecided_with_the_reason(rule: Rule) -> None:
    verdict, reason = rule.judge(interval(1.0, 2.0, num_documents=MIN_DOCUMENTS - 1))
    assert verdict == "undecided"
    assert reason == "19 documents; an interval from fewer than 20 is not to be relied on"
    assert rule.judge(interval(1.0, 2.0, num_documents=MIN_DOCUMENTS))[1] is None


def test_without_an_interval_it_is_undecided_for_the_estimates_reason() -> None:
    one = no_estimate("one document: no interval is possible", value=1.0, confidence=0.95, num_documents=1)
    assert above(0.0).judge(one) == ("undecided", "one document: no interval is possible")


def test_flat_is_judged_by_the_90_percent_interval_and_differences_by_the_95_percent_one() -> None:
    assert flat().confidence == 0.90
    assert above(0.0).confidence == 0.95
    assert "90 %" in flat().sentence
    assert "±0.02 nats" in flat().sentence
    assert "95 %" in above(EPSILON_NATS).sentence
    assert "+0.02 nats" in above(EPSILON_NATS).sentence
