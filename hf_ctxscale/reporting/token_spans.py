"""token_span: one token of a text as an escaped element of a page, coloured by its classes, with blanks and line ends that can be seen."""

import math
import re
from collections.abc import Sequence

from markupsafe import Markup, escape

from hf_ctxscale.reporting.numbers import number

# Lower ends of the colour steps in nats: of a loss, and of either direction of a difference.
LOSS_STEPS_NATS = (0.1, 1.0, 2.0, 4.0, 8.0)
DIFFERENCE_STEPS_NATS = (0.1, 0.5, 2.0)
# What a blank is shown as in a table, where it would not be seen.
VISIBLE = str.maketrans({" ": "␣", "\n": "↵", "\t": "⇥"})
# A blank between two words is seen as it stands; runs of blanks, those at a line's end or start, and those that are a token alone are marked.
MARKED = re.compile(r"\n|\t| (?=[ \n])|(?<=[ \n\t]) |\A \Z")
JOINERS = "\u200c\u200d"  # shape the letters and emoji around them


def loss_class(loss_nats: float) -> str:
    """``l0`` (hardly any loss) to ``l5``; ``n`` for a token that was not predicted."""
    return f"l{sum(loss_nats >= step for step in LOSS_STEPS_NATS)}" if math.isfinite(loss_nats) else "n"


def difference_class(difference_nats: float, *, up: str, down: str) -> str:
    """``up`` or ``down`` with a step of 1 to 3; nothing for a difference near zero, or for none."""
    step = sum(abs(difference_nats) >= step for step in DIFFERENCE_STEPS_NATS)
    return f"{up if difference_nats > 0 else down}{step}" if step else ""


def token_span(piece: str, *, classes: Sequence[str], numbers: str) -> Markup:
    """A token in the running text.

    Args:
        piece: its text, as hostile as it may be; empty for a further byte of the character before.
        classes: what the colours follow.
        numbers: shown where the token is pointed at, tapped or reached by keyboard.
    """
    names = " ".join(["t", *filter(None, classes), *([] if piece else ["more"])])
    return Markup('<span class="{}" tabindex="0" data-n="{}">{}</span>').format(names, numbers, _marked(piece))


def visible_text(piece: str) -> str:
    """A token on one line, for tables: its blanks and line ends as signs."""
    if not piece:
        return "(further byte of the character before)"
    return "".join(_name(character) or character.translate(VISIBLE) for character in piece)


def probability(loss_nats: float) -> str:
    """What a loss means: ``4.0 %``."""
    percent = 100 * math.exp(-loss_nats)
    return f"{number(percent, decimals=1)} %" if percent >= 0.1 else "< 0.1 %"


def _marked(piece: str) -> Markup:
    """The text, escaped; marks are drawn by the page's style, so that what is copied from the page is the text."""
    parts, start = [], 0
    for found in MARKED.finditer(piece):
        parts += [_named(piece[start : found.start()]), Markup('<span class="{}">{}</span>').format(_kind(found[0]), found[0])]
        start = found.end()
    return Markup("").join([*parts, _named(piece[start:])])


def _kind(blank: str) -> str:
    return {"\n": "line", "\t": "tab", " ": "blank"}[blank]


def _named(text: str) -> Markup:
    """Characters that cannot be seen, or that would turn the text around them, by their numbers."""
    if text.isprintable():
        return escape(text)
    return Markup("").join(
        Markup('<span class="sign">{}</span>').format(name) if (name := _name(character)) else escape(character) for character in text
    )


def _name(character: str) -> str | None:
    return None if character.isprintable() or character in f"\n\t{JOINERS}" else f"U+{ord(character):04X}"
