"""The panel of effective contexts under the curves of a chart: value, interval, and an arrow where the context was too short to tell."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hf_ctxscale.analysis.verdicts import EPSILON_NATS
from hf_ctxscale.charts.chart_data import Axis, Bars, Line, Mark, Panel, Words

ROW_HEIGHT = 0.08  # of a panel: a line of text with its bar
# In rows: a bar lies below the top of its row, its words above it.
BAR_BELOW = 0.78
WORDS_ABOVE = 0.28
ARROW_SIZE = 5.0


@dataclass(frozen=True)
class Reach:
    """One model's effective context, in tokens, with the interval where there is one.

    Attributes:
        context_tokens: the whole context; an interval that ends there has no known end.
        censored: it still gains at the whole context, so that the value is "at least".
    """

    label: str
    colour: str
    marker: str
    tokens: float
    low: float | None
    high: float | None
    context_tokens: int
    censored: bool

    @property
    def open_ended(self) -> bool:
        """Whether the upper limit is not known: the context was too short."""
        return self.censored or (self.high is not None and self.high >= self.context_tokens)


def reach_words(
    tokens: float, low: float | None, high: float | None, *, context_tokens: float, censored: bool, unit: str = "tokens"
) -> str:
    """``61 tokens [40, 90]``, ``at least 1,024 tokens [512, 1,024 or more]``.

    Args:
        tokens: effective context; it may be given in bytes, then the limits, ``context_tokens`` and ``unit`` are too.
        low: lower limit; None: no interval.
        high: upper limit; not known where it is the whole context.
        context_tokens: the whole context.
        censored: it still gains at the whole context.
    """
    count = _count_text(tokens)
    value = f"{'at least ' if censored else ''}{count} {unit.removesuffix('s') if count == '1' else unit}"
    if low is None or high is None:
        return value
    or_more = " or more" if high >= context_tokens else ""
    return f"{value} [{_count_text(low)}, {_count_text(high)}{or_more}]"


def _count_text(tokens: float) -> str:
    """Whole numbers with their thousands set apart, one decimal below 10."""
    return f"{tokens:,.0f}" if tokens >= 9.95 or tokens == round(tokens) else f"{tokens:.1f}"


def reach_panel(reaches: Sequence[Reach], *, x: Axis, named: bool) -> Panel:
    """A bar for each model, its words above it.

    Args:
        x: the axis of the panel of losses, which stands above.
        named: whether the words begin with the model's name.
    """
    rows = zip(range(len(reaches), 0, -1), reaches, strict=True)
    return Panel(
        x=x,
        y=Axis("", low=0, high=len(reaches), hidden=True),
        marks=tuple(mark for top, reach in rows for mark in _marks(reach, y=top - BAR_BELOW, right=x.high, named=named)),
        title=f"effective context: at most {EPSILON_NATS:g} nats above the whole",
        height=ROW_HEIGHT * len(reaches),
    )


def _marks(reach: Reach, *, y: float, right: float | None, named: bool) -> list[Mark]:
    """The interval as a thick line, the value as the model's marker; an arrow to the right where the end is not known."""
    words = reach_words(reach.tokens, reach.low, reach.high, context_tokens=reach.context_tokens, censored=reach.censored)
    said = f"{reach.label}: {words}"
    marks: list[Mark] = [Words(said if named else words, y + WORDS_ABOVE, colour=reach.colour)]
    if reach.low is not None and reach.high is not None:
        marks.append(Bars((y,), (reach.low,), (reach.high,), reach.colour, width=3, opacity=0.45, horizontal=True, group=reach.label))
    if reach.open_ended and right is not None:
        # From its head, which alone has a marker, backwards.
        arrow: dict[str, Any] = {"marker": ">", "marker_size": ARROW_SIZE, "marker_every": 2}
        marks.append(Line((right, reach.context_tokens), (y, y), reach.colour, group=reach.label, **arrow))
    shape = ">" if reach.censored else reach.marker
    value = Line((reach.tokens,), (y,), reach.colour, width=0, marker=shape, marker_size=7, hover=(said,), group=reach.label)
    return [*marks, value]
