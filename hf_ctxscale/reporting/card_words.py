"""What a card says of one score: its sentence, its table of measures, and how it was measured."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hf_ctxscale.analysis.positions import GAIN_WINDOW, LATE_WINDOW, context_gain_obstacle, last_octave
from hf_ctxscale.charts.reach_bars import reach_words
from hf_ctxscale.records import ScoreRecord
from hf_ctxscale.reporting.measured_how import (
    CURVE_IN_WORDS,
    ablation_in_words,
    bos_in_words,
    cuts_in_words,
    effective_context_cell,
    effective_context_in_words,
    on_text,
    text_in_words,
    windows_in_words,
)
from hf_ctxscale.reporting.numbers import MISSING, counted, estimate, interval, number, whole
from hf_ctxscale.reporting.sources import Row

INTERVALS = (
    "95 %, by leaving out one document at a time: they cover the choice of documents, and not what another training seed would change; that of the "
    "effective context holds for all cuts at once"
)


@dataclass(frozen=True)
class Measure:
    """One row of a card's table.

    Attributes:
        key: what metadata calls it, unit included.
        shown: the value as text; a dash where there is none.
        limits: its interval as text, or why there is no value.
        value: None where it was not measured.
        censored: the value is "at least".
        high_censored: the upper limit is.
    """

    key: str
    name: str
    unit: str
    shown: str
    limits: str
    value: float | None
    low: float | None
    high: float | None
    censored: bool = False
    high_censored: bool = False


def card_sentence(row: Row, score: ScoreRecord, *, name: str) -> str:
    """The result in one sentence, with its intervals."""
    loss = f"{_estimate(row, 'loss_nats')} nats per token"
    per_byte = f" ({_estimate(row, 'bits_per_byte')} bits per byte)" if row["bits_per_byte"] is not None else ""
    sentence = f"{on_text(score)}, {name} has a loss of {loss}{per_byte} with {counted(score.context_tokens, 'token')} of context"
    parts = []
    if row["context_gain_nats"] is not None:
        early, late = _range(GAIN_WINDOW), _range(last_octave(score.context_tokens))
        parts.append(f"from positions {early} to {late} it gains {_estimate(row, 'context_gain_nats', signed=True)} nats")
    if row["effective_context"] is not None:
        parts.append(f"its effective context is {effective_context_cell(row, score)}")
    brackets = " (95 % intervals in brackets)" if row["loss_nats_low"] is not None else ""
    return f"{sentence}{'; ' if parts else ''}{' and '.join(parts)}{brackets}."


def card_measures(row: Row, score: ScoreRecord, *, cuts: Sequence[Row]) -> tuple[Measure, ...]:
    """The table: losses, context gain, in-context score, effective context in tokens and bytes.

    Args:
        cuts: the score's rows of the table of ablations, ascending; empty where no ablation was made.
    """
    gain = context_gain_obstacle(score.context_tokens) or MISSING
    furthest = LATE_WINDOW[1]
    late = MISSING if score.context_tokens >= furthest else f"needs a context of {furthest} tokens; this one has {score.context_tokens}"
    return (
        _measure(row, "loss_nats", "loss_nats_per_token", "loss", "nats per token"),
        _measure(row, "loss_nats", "loss_bits_per_token", "loss", "bits per token", scale=1 / math.log(2)),
        _measure(
            row, "bits_per_byte", "bits_per_byte", "loss", "bits per byte", without="how many bytes the tokens stand for is not known"
        ),
        _measure(row, "context_gain_nats", "context_gain_nats", "context gain", "nats per token", signed=True, without=gain),
        _measure(
            row, "icl_score", "in_context_score_nats", "in-context score (lower is better)", "nats per token", signed=True, without=late
        ),
        *_effective_context(row, score, cuts=cuts),
    )


def _measure(
    row: Row, column: str, key: str, name: str, unit: str, *, scale: float = 1.0, signed: bool = False, without: str = MISSING
) -> Measure:
    value, low, high = (None if row[f"{column}{end}"] is None else scale * row[f"{column}{end}"] for end in ("", "_low", "_high"))
    limits = without if value is None else interval(low, high, signed=signed)
    return Measure(key, name, unit, number(value, signed=signed), limits, value, low, high)


def _effective_context(row: Row, score: ScoreRecord, *, cuts: Sequence[Row]) -> tuple[Measure, ...]:
    """In tokens, and in bytes where they are known."""
    names = [f"effective_context{end}" for end in ("", "_low", "_high")]
    if row["effective_context"] is None:
        return (Measure(names[0], "effective context", "tokens", MISSING, "no ablation was made (`--ablation`)", None, None, None),)
    by_unit = [("tokens", 1.0)]
    if cuts and cuts[-1]["context_bytes"] is not None:
        by_unit.append(("bytes", cuts[-1]["context_bytes"] / cuts[-1]["context_tokens"]))
    measures = []
    for unit, scale in by_unit:
        value, low, high = (None if row[name] is None else scale * row[name] for name in names)
        censored = bool(row["effective_context_censored"])
        words = reach_words(value or 0.0, low, high, context_tokens=scale * score.context_tokens, censored=censored, unit=unit)
        shown, _, limits = words.partition(" [")
        shown = shown.removesuffix(f" {unit}")
        measures.append(
            Measure(
                f"effective_context_{unit}",
                "effective context",
                unit,
                shown,
                f"[{limits}" if limits else MISSING,
                value,
                low,
                high,
                censored,
                row["effective_context_high"] is not None and row["effective_context_high"] >= score.context_tokens,
            )
        )
    return tuple(measures)


def is_folder(model: str) -> bool:
    """Whether a model was given as a path, which says nothing to others and should not travel."""
    return model.startswith(("/", ".", "~", "\\")) or model.count("/") > 1 or ":" in model


def card_setup(score: ScoreRecord, *, name: str) -> tuple[tuple[str, str], ...]:
    """How it was measured, as pairs of a name and a value."""
    model = f"{name}, revision {score.revision}" if score.revision else name
    unshared = (
        f", {whole(score.num_documents_not_shared)} too short for another model of the same call" if score.num_documents_not_shared else ""
    )
    pairs = (
        ("model", model),
        ("text", f"{text_in_words(score)}; tokens fingerprint {score.tokens_fingerprint[:16]}"),
        (
            "documents",
            f"{whole(score.num_documents)} with {whole(score.num_tokens)} predicted tokens; left out: {whole(score.num_documents_too_short)} too short "
            f"for a window{unshared}",
        ),
        ("windows", windows_in_words(score)),
        ("BOS", bos_in_words(score)),
        ("bytes", "exact" if score.bytes_rule == "exact" else "approximate: tokens were decoded one by one"),
        ("weights", score.dtype),
        ("ablation", ablation_in_words(score)),
        ("precision of the ablation", _precision(score)),
        ("intervals", INTERVALS),
        ("device", score.device),
    )
    return tuple((name, value) for name, value in pairs if value)


def _precision(score: ScoreRecord) -> str | None:
    if score.ablation is None or score.ablation.std_error_nats is None:
        return None
    made = score.ablation
    return f"{made.error_in_words}, {made.wanted_std_error_nats:g} wanted"


def chart_caption(score: ScoreRecord) -> str:
    """What the chart shows, and how to read it."""
    sentences = ["Solid: loss by position in the window.", CURVE_IN_WORDS[score.windows]]
    if score.ablation:
        sentences += [cuts_in_words(), effective_context_in_words()]
    return " ".join(sentences)


def _estimate(row: Row, column: str, *, signed: bool = False) -> str:
    return estimate(row[column], row[f"{column}_low"], row[f"{column}_high"], signed=signed)


def _range(positions: tuple[int, int]) -> str:
    return f"{positions[0]}–{positions[1]}"
