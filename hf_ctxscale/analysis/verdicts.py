"""Rules that turn an interval into supported, not supported or undecided, each with the sentence that stands beside the claim."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from hf_ctxscale.analysis.estimates import Estimate

Verdict = Literal["supported", "not supported", "undecided"]

EPSILON_NATS = 0.02  # smaller differences do not count: about the spread between seeds in Kaplan et al. 2020, section 4
MIN_DOCUMENTS = 20  # a t interval from fewer clusters covers less than it claims
SIGNIFICANCE = 0.05  # of all claims of a list together, after Holm's correction


@dataclass(frozen=True)
class Rule:
    """How an interval of some confidence decides."""

    sentence: str
    confidence: float
    decide: Callable[[float, float], Verdict]  # of the interval's ends
    p_value: Callable[[np.ndarray], float]  # of the replicates, (B,): the smaller of the one for and the one against

    def judge(self, estimate: Estimate) -> tuple[Verdict, str | None]:
        """The verdict, and why it is undecided where that is not for the interval alone."""
        if not estimate.has_interval:
            return "undecided", estimate.reason
        if estimate.num_documents < MIN_DOCUMENTS:
            return "undecided", f"{estimate.num_documents} documents; an interval from fewer than {MIN_DOCUMENTS} is not to be relied on"
        return self.decide(estimate.low, estimate.high), None


def above(threshold: float, *, confidence: float = 0.95) -> Rule:
    """The value exceeds a threshold; two-sided."""

    def decide(low: float, high: float) -> Verdict:
        if low > threshold:
            return "supported"
        return "not supported" if high < threshold else "undecided"

    def p_value(values_B: np.ndarray) -> float:
        return min(1.0, 2 * min(_share(values_B <= threshold), _share(values_B >= threshold)))

    limit = f"{threshold:+g} nats" if threshold else "0"
    sentence = f"supported where the {_percent(confidence)} interval lies wholly above {limit}, not supported where wholly below"
    return Rule(f"{sentence}, {_AND_HOLM}", confidence, decide, p_value)


def flat(epsilon: float = EPSILON_NATS) -> Rule:
    """The value is equivalent to zero."""
    return _inside(-epsilon, epsilon, f"±{epsilon:g} nats (equivalence)")


def near(target: float, *, tolerance: float) -> Rule:
    """The value is equivalent to a target, up to a share of it."""
    return _inside(target * (1 - tolerance), target * (1 + tolerance), f"{target:g} ± {_percent(tolerance)} (equivalence)")


def _inside(lowest: float, highest: float, limits: str) -> Rule:
    """Equivalence: two one-sided tests at 5 %, that is the 90 % interval."""

    def decide(low: float, high: float) -> Verdict:
        if lowest < low and high < highest:
            return "supported"
        return "not supported" if low > highest or high < lowest else "undecided"

    def p_value(values_B: np.ndarray) -> float:
        inside = max(_share(values_B <= lowest), _share(values_B >= highest))
        outside = min(_share(values_B >= lowest), _share(values_B <= highest))
        return min(inside, outside)

    sentence = f"supported where the 90 % interval lies wholly inside {limits}, not supported where wholly outside"
    return Rule(f"{sentence}, {_AND_HOLM}", 0.90, decide, p_value)


_AND_HOLM = f"and p is at most {SIGNIFICANCE:g} after Holm's correction for all claims; undecided otherwise"


def _share(against_B: np.ndarray) -> float:
    """Of replicates, counting the data as one more: never 0."""
    return float((1 + against_B.sum()) / (1 + len(against_B)))


def _percent(share: float) -> str:
    return f"{100 * share:g} %"
