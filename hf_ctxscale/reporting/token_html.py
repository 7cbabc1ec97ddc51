"""token_fragment, token_page: a text read token by token as coloured HTML, for one or two models; plain HTML and CSS, no script."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from hf_ctxscale.analysis.text_losses import TokenByToken, difference_nats, text_means, why_not_subtracted
from hf_ctxscale.files import write_text
from hf_ctxscale.reporting.numbers import counted, number
from hf_ctxscale.reporting.token_spans import (
    DIFFERENCE_STEPS_NATS,
    LOSS_STEPS_NATS,
    difference_class,
    loss_class,
    probability,
    token_span,
    visible_text,
)

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Section:
    """The text under one model, or the difference between two: running text, and a table of the same numbers."""

    title: str
    shown_with: str  # `model`: with the views of gain and loss; `difference`: with that view
    text: Markup
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Legend:
    """What the colours of one view stand for: a class and its words for every step."""

    view: str
    label: str
    title: str
    steps: tuple[tuple[str, str], ...]


def write_token_page(path: Path, readings: Sequence[TokenByToken]) -> None:
    """Writes the page of `token_page` aside, then renames it."""
    write_text(path, token_page(readings))


def token_page(readings: Sequence[TokenByToken]) -> str:
    """A whole page that needs nothing beside it.

    Args:
        readings: of one model or two, of the same text.

    Raises:
        UserError: the texts differ.
    """
    names = " and ".join(reading.model for reading in _labelled(readings))
    return (
        _environment()
        .get_template("token_page.html.j2")
        .render(title=f"Token by token: {names}", fragment=Markup(token_fragment(readings)))
    )


def token_fragment(readings: Sequence[TokenByToken], *, name: str = "read-along") -> str:
    """The same as an element of another page, with its style; every rule of that is meant for this element alone.

    Args:
        readings: of one model or two, of the same text.
        name: begins every id; different for two fragments on one page.

    Raises:
        UserError: the texts differ.
    """
    assert 1 <= len(readings) <= 2, len(readings)
    readings = _labelled(readings)
    reason = why_not_subtracted(*readings) if len(readings) == 2 else None
    sections = [_model_section(reading) for reading in readings]
    legends = [_gain_legend(readings), _loss_legend()]
    if len(readings) == 2 and reason is None:
        sections.append(_difference_section(*readings))
        legends.append(_difference_legend(*readings))
    return (
        _environment()
        .get_template("tokens.html.j2")
        .render(
            name=name,
            sentences=[result_sentence(reading) for reading in readings],
            reason=reason,
            models=[reading.model for reading in readings],
            means=_means_rows(readings),
            legends=legends,
            sections=sections,
        )
    )


def _environment() -> Environment:
    return Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def _labelled(readings: Sequence[TokenByToken]) -> list[TokenByToken]:
    """The readings under names that are short and still tell them apart: of a run's folder ``runs/<run_id>/model``, the run's id."""
    parts = [Path(reading.model).parts for reading in readings]
    labels = [name[-2] if name[-1] == "model" and len(name) > 1 else name[-1] if len(name) > 2 else "/".join(name) for name in parts]
    if len(set(labels)) < len(set(parts)):
        return list(readings)
    return [replace(reading, model=label) for reading, label in zip(readings, labels, strict=True)]


def result_sentence(reading: TokenByToken) -> str:
    """What the long context buys on this text, in words."""
    k, means = reading.short_context_tokens, text_means(reading)
    start = f"{reading.model}: {number(means.bits_per_byte_full)} bits per byte."
    if not means.num_longer:
        return f"{start} No token has more than {k} tokens before it, so a longer context buys nothing here; read a longer text."
    return (
        f"{start} With up to {counted(int(reading.full_context_tokens.max()), 'token')} of context instead of the last {k}, the mean loss "
        f"{'falls' if means.gain_nats >= 0 else 'rises'} by {number(abs(means.gain_nats))} nats per token, "
        f"over the {counted(means.num_longer, 'token')} with more than {k} before them."
    )


def _means_rows(readings: Sequence[TokenByToken]) -> list[tuple[str, ...]]:
    """What was measured, and its value under each model."""
    means = [text_means(reading) for reading in readings]
    return [
        ("nats per token, full context", *(number(mean.loss_full_nats) for mean in means)),
        ("nats per token, short context", *(number(mean.loss_short_nats) for mean in means)),
        ("bits per byte, full context", *(number(mean.bits_per_byte_full) for mean in means)),
        ("bits per byte, short context", *(number(mean.bits_per_byte_short) for mean in means)),
        ("longest full context", *(counted(int(reading.full_context_tokens.max()), "token") for reading in readings)),
        ("short context", *(counted(reading.short_context_tokens, "token") for reading in readings)),
        ("put before every context", *(counted(len(reading.bos_ids), "token") if reading.bos_ids else "nothing" for reading in readings)),
        (
            "predicted",
            *(f"{mean.num_predicted:,} of {counted(len(reading.pieces), 'token')}" for reading, mean in zip(readings, means, strict=True)),
        ),
    ]


def _model_section(reading: TokenByToken) -> Section:
    spans, rows = [], []
    columns = (reading.pieces, reading.full_context_tokens, reading.loss_full_nats, reading.loss_short_nats, reading.gain_nats)
    for index, (piece, context, full, short, gain) in enumerate(zip(*columns, strict=True)):
        classes = (difference_class(gain, up="g", down="h"), loss_class(full))
        spans.append(token_span(piece, classes=classes, numbers=f"token {index + 1} ‘{visible_text(piece)}’: {_numbers(reading, index)}"))
        rows.append((f"{index + 1:,}", visible_text(piece), f"{context:,}", number(full), number(short), number(gain, signed=True)))
    headings = ("token", "text", "context", "loss, full", f"loss, last {reading.short_context_tokens}", "gain")
    return Section(reading.model, "model", Markup("").join(spans), headings, tuple(rows))


def _numbers(reading: TokenByToken, index: int) -> str:
    """What a reader sees who points at a token."""
    full, short, context = (
        float(values[index]) for values in (reading.loss_full_nats, reading.loss_short_nats, reading.full_context_tokens)
    )
    if not np.isfinite(full):
        return "not predicted, since nothing stands before it"
    loss = f"{number(full)} nats (probability {probability(full)})"
    if context <= reading.short_context_tokens:
        before = f"from the {counted(int(context), 'token')} before it" if context else "from the token for the beginning of a text alone"
        return f"{loss} {before}; full and short context are the same"
    return (
        f"{loss} from {counted(int(context), 'token')}, {number(short)} ({probability(short)}) from the last {reading.short_context_tokens}: "
        f"gain {number(short - full, signed=True)}"
    )


def _difference_section(first: TokenByToken, second: TokenByToken) -> Section:
    spans, rows = [], []
    columns = (first.pieces, first.loss_full_nats, second.loss_full_nats, difference_nats(first, second))
    for index, (piece, one, other, difference) in enumerate(zip(*columns, strict=True)):
        shown = f"{first.model} {number(one)} nats, {second.model} {number(other)}: difference {number(difference, signed=True)}"
        predicted = np.isfinite(difference)
        spans.append(
            token_span(
                piece,
                classes=(difference_class(difference, up="s", down="f"), "" if predicted else "n"),
                numbers=f"token {index + 1} ‘{visible_text(piece)}’: {shown if predicted else 'not predicted by both models'}",
            )
        )
        rows.append((f"{index + 1:,}", visible_text(piece), number(one), number(other), number(difference, signed=True)))
    headings = ("token", "text", f"loss, {first.model}", f"loss, {second.model}", "difference")
    return Section(f"{first.model} minus {second.model}", "difference", Markup("").join(spans), headings, tuple(rows))


def _gain_legend(readings: Sequence[TokenByToken]) -> Legend:
    k = " and ".join(dict.fromkeys(str(reading.short_context_tokens) for reading in readings))
    title = f"Gain from context: loss with the last {k} tokens minus loss with the full context, in nats"
    return Legend("gain", "gain from context", title, _steps("h", "g", "context hurts", "context helps"))


def _loss_legend() -> Legend:
    words = (f"< {LOSS_STEPS_NATS[0]:g}", *(f"≥ {step:g}" for step in LOSS_STEPS_NATS))
    title = "Loss with the full context, in nats: 0 is certain"
    return Legend("loss", "loss", title, tuple((f"l{step}", word) for step, word in enumerate(words)))


def _difference_legend(first: TokenByToken, second: TokenByToken) -> Legend:
    contexts = [int(reading.full_context_tokens.max()) for reading in (first, second)]
    each = "the same full context" if contexts[0] == contexts[1] else f"its full context (up to {contexts[0]:,} and {contexts[1]:,} tokens)"
    title = f"Difference: loss of {first.model} minus loss of {second.model}, each with {each}, in nats"
    return Legend("difference", "difference between the models", title, _steps("f", "s", f"{first.model} better", f"{second.model} better"))


def _steps(down: str, up: str, down_words: str, up_words: str) -> tuple[tuple[str, str], ...]:
    numbered = list(enumerate(DIFFERENCE_STEPS_NATS, start=1))
    below = [(f"{down}{index}", f"≤ −{step:g}") for index, step in reversed(numbered)]
    above = [(f"{up}{index}", f"≥ {step:g}") for index, step in numbered]
    below[0] = (below[0][0], f"{down_words}: {below[0][1]}")
    above[-1] = (above[-1][0], f"{above[-1][1]}: {up_words}")
    return (*below, ("", f"within ±{DIFFERENCE_STEPS_NATS[0]:g}"), *above)
