"""Verdict rules at their edges."""

import numpy as np
import pytest

from hf_ctxscale.analysis.estimates import Estimate, no_estimate
from hf_ctxscale.analysis.replicates import percentile_estimate
from hf_ctxscale.analysis.verdicts import EPSILON_NATS, MIN_DOCUMENTS, Rule, above, flat, near


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


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.069, 0.083, "supported"),
        (0.068, 0.083, "undecided"),
        (0.05, 0.1, "undecided"),
        (0.07, 0.09, "undecided"),
        (0.084, 0.09, "not supported"),
        (0.05, 0.068, "not supported"),
    ],
)
def test_near_a_target(low: float, high: float, verdict: str) -> None:
    assert near(0.076, tolerance=0.1).judge(interval(low, high)) == (verdict, None)


@pytest.mark.parametrize("rule", [above(0.0), above(EPSILON_NATS), flat(), near(0.076, tolerance=0.1)])
@pytest.mark.parametrize("spread", [0.001, 0.02])
def test_p_is_at_most_5_percent_where_the_interval_decides(rule: Rule, spread: float) -> None:
    rng, agreeing, num = np.random.default_rng(0), 0, 300
    for centre in rng.uniform(-0.05, 0.1, num):
        values_R = np.concatenate([[centre], rng.normal(centre, spread, 999)])
        verdict, _ = rule.judge(percentile_estimate(values_R, confidence=rule.confidence, num_documents=30))
        agreeing += (verdict != "undecided") == (rule.p_value(values_R[1:]) <= 0.05)
    assert agreeing >= num - 2  # at the edge itself, by one replicate


def test_p_counts_the_replicates_on_the_other_side_and_the_data_as_one_of_them() -> None:
    values_B = np.concatenate([np.full(97, 0.05), np.full(2, -0.05)])
    assert above(0.0).p_value(values_B) == 2 * 3 / 100
    assert above(0.0).p_value(-values_B) == 2 * 3 / 100
    assert above(0.0).p_value(np.tile([1.0, -1.0], 50)) == 1.0
    assert flat().p_value(values_B / 10) == 1 / 100
    assert flat().p_value(np.where(values_B > 0, 0.0, values_B)) == 3 / 100
    # Against flatness: 2 of 99 are not above +0.02.
    assert flat().p_value(values_B) == 3 / 100


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
    assert near(0.076, tolerance=0.1).confidence == 0.90
    assert "0.076 ± 10 %" in near(0.076, tolerance=0.1).sentence


@pytest.mark.parametrize("rule", [above(0.0), flat(), near(0.076, tolerance=0.1)])
def test_every_rule_says_that_p_counts_too(rule: Rule) -> None:
    assert rule.sentence.endswith("and p is at most 0.05 after Holm's correction for all claims; undecided otherwise")
