"""Bars of effective context under the curves of a chart: value, interval, and an arrow where the context was too short to tell."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from hf_ctxscale.analysis.verdicts import EPSILON_NATS
from hf_ctxscale.charts.series import text_colour
from hf_ctxscale.charts.style import GREY, SMALL_POINTS, figure_of

ROW_POINTS = 2.1 * SMALL_POINTS  # a line of text with its bar
HEADING_POINTS = 1.5 * SMALL_POINTS


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


def draw_reach_bars(ax: Axes, reaches: Sequence[Reach], *, named: bool) -> float:
    """Makes room under what is drawn and puts a bar there for each model, its words above it.

    Args:
        reaches: nothing is drawn where there are none.
        named: whether the words begin with the model's name.

    Returns:
        the height that they take, as a fraction of the axes.
    """
    if not reaches:
        return 0.0
    figure = figure_of(ax)
    figure.draw_without_rendering()
    height_points = ax.bbox.height * 72 / figure.dpi
    strip = (HEADING_POINTS + ROW_POINTS * len(reaches)) / height_points
    low, high = ax.get_ylim()
    ticks = [tick for tick in ax.get_yticks() if low <= tick <= high]
    ax.set_ylim(low - (high - low) * strip / (1 - strip), high)
    # Bars have no height on the axis of losses.
    ax.set_yticks(ticks)
    ax.axhline(low, color="#cccccc", linewidth=0.8)
    heading = f"effective context: at most {EPSILON_NATS:g} nats above the whole"
    ax.text(0.01, strip - 2 / height_points, heading, transform=ax.transAxes, fontsize=SMALL_POINTS, color=GREY, va="top")
    for rank, reach in enumerate(reaches):
        words = reach_words(reach.tokens, reach.low, reach.high, context_tokens=reach.context_tokens, censored=reach.censored)
        y = strip - (HEADING_POINTS + ROW_POINTS * (rank + 0.78)) / height_points
        _draw_bar(ax, reach, y=y)
        ax.text(
            0.01,
            y + 0.28 * ROW_POINTS / height_points,
            f"{reach.label}: {words}" if named else words,
            transform=ax.transAxes,
            fontsize=SMALL_POINTS,
            color=text_colour(reach.colour),
            va="bottom",
            parse_math=False,
        )
    return strip


def _draw_bar(ax: Axes, reach: Reach, *, y: float) -> None:
    """The interval as a thick line, the value as the model's marker; an arrow to the right where the end is not known. ``y`` in axes fractions."""
    across = ax.get_xaxis_transform()
    if reach.low is not None and reach.high is not None:
        ax.plot(
            [reach.low, reach.high],
            [y, y],
            transform=across,
            color=reach.colour,
            linewidth=3,
            alpha=0.45,
            solid_capstyle="butt",
            clip_on=False,
        )
    ax.plot(
        [reach.tokens],
        [y],
        transform=across,
        color=reach.colour,
        marker=">" if reach.censored else reach.marker,
        markersize=6,
        clip_on=False,
    )
    if reach.open_ended:
        ax.annotate(
            "",
            xy=(1.03, y),
            xycoords="axes fraction",
            xytext=(reach.context_tokens, y),
            textcoords=across,
            arrowprops={"arrowstyle": "->", "color": reach.colour, "linewidth": 1.6, "shrinkA": 0, "shrinkB": 0},
            annotation_clip=False,
        )
