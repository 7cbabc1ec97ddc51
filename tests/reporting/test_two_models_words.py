"""What is said of two models."""

import math

import numpy as np

from hf_ctxscale.analysis.bands import Band
from hf_ctxscale.analysis.comparison import Comparison, compared
from hf_ctxscale.analysis.estimates import Estimate, no_estimate
from hf_ctxscale.analysis.paired_differences import DifferenceCurve
from hf_ctxscale.reporting.two_models_words import band_sentence, comparison_sentences


def measured(value: float, half: float) -> Estimate:
    return Estimate(value, value - half, value + half, half / 2, 0.95, 30)


def said(comparison: Comparison, *, by_position: bool = True) -> str:
    (sentence,) = comparison_sentences("A", "B", [comparison], by_position=by_position)
    return sentence


def test_the_model_of_lower_loss_is_named_with_a_positive_amount_and_its_interval() -> None:
    assert said(compared("mean_loss", measured(-0.2, 0.05))) == (
        "The loss over the whole context of A is lower than that of B, by 0.200 nats per token [0.150, 0.250]."
    )
    assert said(compared("mean_loss", measured(0.2, 0.05))) == (
        "The loss over the whole context of A is higher than that of B, by 0.200 nats per token [0.150, 0.250]."
    )


def test_an_interval_that_holds_zero_is_undecided_and_keeps_its_sign() -> None:
    assert said(compared("context_gain", measured(-0.01, 0.05))) == (
        "Whose gain from more context is larger is undecided: −0.010 nats per token [−0.060, +0.040], A against B."
    )


def test_what_could_not_be_measured_gives_its_reason() -> None:
    gone = no_estimate("the context is too short", confidence=0.95, num_documents=30)
    assert said(compared("context_gain", gone)) == "The gain from more context is not compared: the context is too short."


def test_a_ratio_with_one_end_says_which() -> None:
    censored = Estimate(math.nan, 1.5, math.nan, math.nan, 0.95, 30, "the second may still gain at the whole context")
    assert said(compared("effective_context", censored)) == "The effective context of A is 1.500 times or more as long as that of B."


def test_bits_per_byte_are_said_of_two_tokenizers_alone() -> None:
    bits = compared("bits_per_byte", measured(-0.2, 0.05))
    assert comparison_sentences("A", "B", [bits], by_position=True) == ()
    assert "0.200 bits per byte [0.150, 0.250]" in said(bits, by_position=False)


def curve(low: list[float], high: list[float], reason: str | None = None) -> DifferenceCurve:
    ends = np.array(low), np.array(high)
    return DifferenceCurve(((1, 1), (2, 64), (65, 256)), Band((ends[0] + ends[1]) / 2, *ends, ends[1] - ends[0], 0.95, 30, reason))


def test_the_band_says_where_which_model_is_better() -> None:
    assert band_sentence("A", "B", curve([0.1, -0.1, -0.5], [0.3, 0.1, -0.2])) == (
        "By position, B predicts better at positions 1 and A predicts better at positions 65–256, where the whole band of the difference lies on one side of 0."
    )
    assert "holds 0 everywhere" in band_sentence("A", "B", curve([-0.1] * 3, [0.1] * 3))


def test_without_a_band_the_reason_stands_there() -> None:
    nothing = [math.nan] * 3
    assert band_sentence("A", "B", curve(nothing, nothing, "one document: no interval is possible")) == (
        "By position there is no band: one document: no interval is possible."
    )
