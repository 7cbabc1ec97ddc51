"""Rules that turn an interval into supported, not supported or undecided, each with the sentence that stands beside the claim."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from hf_ctxscale.analysis.estimates import Estimate

Verdict = Literal["supported", "not supported", "undecided"]

EPSILON_NATS = 0.02  # smaller differences do not count: about the spread between seeds in Kaplan et al. 2020, section 4
MIN_DOCUMENTS = 20  # a t interval from fewer clusters covers less than it claims


@dataclass(frozen=True)
class Rule:
    """How an interval of some confidence decides."""

    sentence: str
    confidence: float
    decide: Callable[[float, float], Verdict]  # of the interval's ends

    def judge(self, estimate: Estimate) -> tuple[Verdict, str | None]:
        """The verdict, and why it is undecided where that is not for the interval alone."""
        if not estimate.has_interval:
            return "undecided", estimate.reason
        if estimate.num_documents < MIN_DOCUMENTS:
            return "undecided", f"{estimate.num_documents} documents; an interval from fewer than {MIN_DOCUMENTS} is not to be relied on"
        return self.decide(estimate.low, estimate.high), None


def above(threshold: float, *, confidence: float = 0.95) -> Rule:
    """The value exceeds a threshold."""

    def decide(low: float, high: float) -> Verdict:
        if low > threshold:
            return "supported"
        return "not supported" if high < threshold else "undecided"

    limit = f"{threshold:+g} nats" if threshold else "0"
    sentence = (
        f"supported where the {confidence:.0%} interval lies wholly above {limit}, not supported where wholly below, undecided otherwise"
    )
    return Rule(sentence.replace("%", " %"), confidence, decide)


def flat(epsilon: float = EPSILON_NATS) -> Rule:
    """The value is equivalent to zero: two one-sided tests at 5 %, that is the 90 % interval."""

    def decide(low: float, high: float) -> Verdict:
        if -epsilon < low and high < epsilon:
            return "supported"
        return "not supported" if low > epsilon or high < -epsilon else "undecided"

    sentence = (
        f"supported where the 90 % interval lies wholly inside ±{epsilon:g} nats (equivalence), not supported where wholly outside, "
        "undecided otherwise"
    )
    return Rule(sentence, 0.90, decide)
