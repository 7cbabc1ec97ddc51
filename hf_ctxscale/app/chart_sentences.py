"""What stands under both charts of the figure: one sentence each with the measured number and its interval, from the study's claims."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from hf_ctxscale.reporting.numbers import estimate, number
from hf_ctxscale.reporting.sources import Sources
from hf_ctxscale.reporting.words import result_sentence

Claim = Mapping[str, Any]

OF_SIZE = re.compile(r"transformer_below_best_lstm_(\d+)")
GROWS = "transformer_gap_grows_with_size"
ALONG_CONTEXT = "transformer_advantage_grows_along_context"
OF_CONTEXT = re.compile(r"transformer_gains_beyond_64|lstm_\d+_flat_beyond_64")


def size_sentence(sources: Sources) -> str:
    """At the largest size, by how much the Transformer's loss is below or above that of the best LSTM; the study's result where it has no such claim."""
    claims = [claim for claim in measured_claims(sources) if OF_SIZE.fullmatch(claim["id"])]
    if not claims:
        return result_sentence(sources)
    largest = max(claims, key=lambda claim: int(claim["id"].rsplit("_", 1)[1]))
    said = _in_place(largest, " is below that of ", above=" is {} below that of ", below=" is {} above that of ")
    grows = next((claim for claim in measured_claims(sources) if claim["id"] == GROWS), None)
    if grows is None:
        return said
    growth = _in_place(grows, " grows from ", above=" grows by {} from ", below=" shrinks by {} from ")
    return f"{said.removesuffix('.')}; {growth[0].lower()}{growth[1:]}"


def position_sentence(sources: Sources) -> str:
    """By how much the Transformer's advantage grows along the context; where that was not asked, what a model gains from more context."""
    claims = measured_claims(sources)
    along = next((claim for claim in claims if claim["id"] == ALONG_CONTEXT), None)
    if along is not None:
        return _in_place(along, " is larger at ", above=" is {} larger at ", below=" is {} smaller at ")
    own = next((claim for claim in claims if OF_CONTEXT.fullmatch(claim["id"])), None)
    if own is not None:
        return (
            f"{own['claim']} Measured: {estimate(own['measured'], own['low'], own['high'], signed=True)} {own['unit']}, {own['verdict']}."
        )
    return ""


def measured_claims(sources: Sources) -> list[Claim]:
    """The claims that have a number."""
    claims: Iterable[Claim] = sources.fits.get("claims") or ()
    return [claim for claim in claims if claim["measured"] is not None]


def _in_place(claim: Claim, words: str, *, above: str, below: str) -> str:
    """A claim's sentence with the measured amount in place of what it claims, and its verdict where that is open."""
    amount = f"{_amount(claim)} {claim['unit']}"
    said: str = claim["claim"].replace(words, (above if claim["measured"] >= 0 else below).format(amount))
    return f"{said.removesuffix('.')} (undecided)." if claim["verdict"] == "undecided" else said


def _amount(claim: Claim) -> str:
    """``0.145 [0.087, 0.199]``: without a sign where the whole interval lies on one side of zero."""
    value, low, high = claim["measured"], claim["low"], claim["high"]
    if low is None or high is None:
        return number(abs(value))
    ends = (low, high) if value >= 0 else (-high, -low)
    return estimate(abs(value), *ends)
