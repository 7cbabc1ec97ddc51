"""What a comparison of two models shows, in sentences: whole context, context gain, effective context, and where along the context."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hf_ctxscale.analysis.comparison import Comparison
from hf_ctxscale.analysis.estimates import Estimate
from hf_ctxscale.analysis.paired_differences import DifferenceCurve
from hf_ctxscale.reporting.claim_tables import positions
from hf_ctxscale.reporting.numbers import estimate, number

QUANTITIES = ("mean_loss", "bits_per_byte", "context_gain", "effective_context")  # in the order of the sentences


def comparison_sentences(first: str, second: str, comparisons: Sequence[Comparison], *, by_position: bool) -> tuple[str, ...]:
    """A sentence for each quantity that the two are compared in over the whole context.

    Args:
        first: what the first model is called.
        second: the other one, which the differences subtract.
        comparisons: as `compare_scores` gives them.
        by_position: whether the two share a tokenizer; bits per byte then say the same as losses per token.
    """
    found = {one.quantity: one for one in comparisons if one.tokens is None and one.bytes is None}
    left_out = {"bits_per_byte"} if by_position else set()
    return tuple(_sentence(first, second, found[name]) for name in QUANTITIES if name in found and name not in left_out)


def _sentence(first: str, second: str, comparison: Comparison) -> str:
    subject, more, less, better = {
        "mean_loss": ("loss over the whole context", "higher", "lower", "lower"),
        "bits_per_byte": ("loss in bits per byte of text", "higher", "lower", "lower"),
        "context_gain": ("gain from more context", "larger", "smaller", "larger"),
        "effective_context": ("effective context", "longer", "shorter", "longer"),
    }[comparison.quantity]
    measured = comparison.measured
    if not math.isfinite(measured.value) and not _ends(measured):
        return f"The {subject} is not compared: {comparison.reason}."
    if comparison.verdict == "undecided":
        why = f" ({comparison.reason})" if comparison.reason else ""
        return f"Whose {subject} is {better} is undecided: {_value(comparison, measured)}, {first} against {second}{why}."
    if comparison.unit == "times":
        return f"The {subject} of {first} is {_value(comparison, measured)} as long as that of {second}."
    lower = comparison.verdict == "lower"
    size = replace(measured, value=-measured.value, low=-measured.high, high=-measured.low) if lower else measured
    return f"The {subject} of {first} is {less if lower else more} than that of {second}, by {_value(comparison, size, signed=False)}."


def _ends(measured: Estimate) -> bool:
    return math.isfinite(measured.low) or math.isfinite(measured.high)


def _value(comparison: Comparison, measured: Estimate, *, signed: bool = True) -> str:
    """``+0.145 nats per token [+0.125, +0.164]``."""
    signed = signed and comparison.unit != "times"
    unit = comparison.unit
    if not measured.has_interval and _ends(measured):
        open_above = math.isfinite(measured.low)
        bound = measured.low if open_above else measured.high
        return f"{number(bound, signed=signed)} {unit} or {'more' if open_above else 'less'}"
    value, both = estimate(measured.value, None, None, signed=signed), measured.has_interval
    return f"{value} {unit}" + (f" [{number(measured.low, signed=signed)}, {number(measured.high, signed=signed)}]" if both else "")


def band_sentence(first: str, second: str, difference: DifferenceCurve) -> str:
    """Where along the context which of the two predicts better, as the band tells for all positions at once."""
    if not np.isfinite(difference.band.low_W).any():
        return f"By position there is no band: {difference.band.reason}."
    better = [(name, difference.positions_where(above=above)) for name, above in ((second, True), (first, False))]
    said = [f"{name} predicts better at positions {_listed([positions(*w) for w in windows])}" for name, windows in better if windows]
    if not said:
        return "By position the two cannot be told apart: the band of their difference holds 0 everywhere."
    return f"By position, {' and '.join(said)}, where the whole band of the difference lies on one side of 0."


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
