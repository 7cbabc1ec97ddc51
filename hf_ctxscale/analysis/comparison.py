"""Comparison: one quantity of a first model against that of a second one, with its verdict and as a line of text."""

import math
import sys
from dataclasses import dataclass, replace
from typing import Any, Literal

from hf_ctxscale.analysis.estimates import Estimate
from hf_ctxscale.analysis.positions import Window
from hf_ctxscale.analysis.verdicts import above

Quantity = Literal["mean_loss", "bits_per_byte", "context_gain", "in_context_score", "effective_context"]
Direction = Literal["lower", "higher", "undecided"]


@dataclass(frozen=True)
class Comparison:
    """One quantity of a first model against that of a second one.

    Attributes:
        quantity: what is compared.
        unit: ``nats per token`` or ``bits per byte`` of a difference, ``times`` of a ratio.
        measured: the first minus the second; of ``effective_context`` the first by the second.
        verdict: where the interval puts the first model; undecided where it holds the value of two equal models.
        reason: why it is undecided, where that is not for the interval alone; or why the interval has one end only (the ratio of effective
            contexts where one model may still gain at the whole context: the other end is then NaN).
        tokens: context positions, both ends included, of a bin; None for the whole context.
        bytes: bytes of context, both ends included, of a bin.
    """

    quantity: Quantity
    unit: Literal["nats per token", "bits per byte", "times"]
    measured: Estimate
    verdict: Direction
    reason: str | None
    tokens: Window | None = None
    bytes: Window | None = None

    def entry(self) -> dict[str, Any]:
        """What results/comparisons.json holds of it."""
        measured = self.measured
        return {
            "quantity": self.quantity,
            "unit": self.unit,
            "tokens": self.tokens,
            "bytes": self.bytes,
            "value": measured.value,
            "low": measured.low,
            "high": measured.high,
            "verdict": self.verdict,
            "reason": self.reason,
            "num_documents": measured.num_documents,
        }

    def in_words(self) -> str:
        """A line: ``mean loss -0.143 nats per token (95 % interval -0.166 to -0.120): lower``."""
        # The unit says that it is by byte.
        name = "mean loss" if self.quantity == "bits_per_byte" else self.quantity.replace("in_context", "in-context").replace("_", " ")
        measured = self.measured
        sign = "" if self.unit == "times" else "+"
        reason = self.reason
        if not measured.has_interval and not _has_one_end(measured):
            return f"{name}: {self.verdict}, {reason}"
        if reason is None and self.verdict == "undecided":
            reason = f"the interval holds {_equal_models(self.quantity):g}"
        value = f"{measured.value:{sign}.3f} {self.unit} " if math.isfinite(measured.value) else ""
        low, high = (f"{end:{sign}.3f}" for end in (measured.low, measured.high))
        if measured.has_interval:
            interval = f"{low} to {high}"
        else:
            interval = f"{low} {self.unit} or more" if math.isfinite(measured.low) else f"{high} {self.unit} or less"
        return f"{name} {value}({100 * measured.confidence:g} % interval {interval}): {self.verdict}" + (f", {reason}" if reason else "")


def compared(quantity: Quantity, measured: Estimate, *, tokens: Window | None = None, bytes: Window | None = None) -> Comparison:
    """A comparison with the verdict of its interval; bins have their range."""
    units: dict[Quantity, Literal["bits per byte", "times"]] = {"bits_per_byte": "bits per byte", "effective_context": "times"}
    judged = measured
    if _has_one_end(measured):
        # The end that is known may decide alone: the other one is no obstacle, however far away.
        low, high = (sys.float_info.max * side if math.isnan(end) else end for side, end in ((-1, measured.low), (1, measured.high)))
        judged = replace(measured, low=low, high=high)
    verdict, reason = above(_equal_models(quantity), confidence=measured.confidence).judge(judged)
    directions: dict[str, Direction] = {"supported": "higher", "not supported": "lower"}
    return Comparison(
        quantity,
        units.get(quantity, "nats per token"),
        measured,
        directions.get(verdict, "undecided"),
        reason or measured.reason,
        tokens=tokens,
        bytes=bytes,
    )


def _has_one_end(measured: Estimate) -> bool:
    return math.isfinite(measured.low) != math.isfinite(measured.high)


def _equal_models(quantity: Quantity) -> float:
    """The value of two equal models."""
    return 1.0 if quantity == "effective_context" else 0.0
