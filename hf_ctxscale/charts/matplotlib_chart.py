"""draw_chart: a Chart as a matplotlib figure, from which its SVG, PNG and PDF files are saved."""

from collections.abc import Callable, Sequence
from functools import singledispatch
from itertools import pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D

from hf_ctxscale.charts.chart_data import Axis, Band, Bars, Chart, Line, Mark, Panel, Rule, Words
from hf_ctxscale.charts.line_labels import LineEnd, label_line_ends
from hf_ctxscale.charts.series import text_colour
from hf_ctxscale.charts.style import GREY, SMALL_POINTS, dress, figure_of, new_axes, set_axis, write_titles

DASHES = {"solid": "-", "dashed": (0, (5, 2.5)), "dotted": (0, (1.5, 1.5)), "dashdot": (0, (7, 2, 1.5, 2))}
# What is drawn over what: areas lowest, points on top of every line.
ORDER = {"band": 1.2, "rule": 1.4, "bars": 1.8, "line": 2.0, "points": 3.0}
THIN_SHAPES_LARGER = 1.25  # than the others, since plus and cross have less area
RIM = 0.15  # white around points alone, as a share of their size
MOST_OF_KEY = 0.5  # of a panel's height that is kept free for its legend


def draw_chart(chart: Chart, *, axes: Sequence[Axes] | None = None) -> Figure:
    """Draws every panel of a chart.

    Args:
        axes: one for each panel, with a right margin for labels; None for a figure of its own.
    """
    places = list(axes) if axes is not None else new_axes(chart)
    write_titles(places, chart)
    for ax, panel in zip(places, chart.panels, strict=True):
        _draw_panel(ax, panel, style=chart.style)
    if not chart.beside:
        for (upper, lower), (ax, _) in zip(pairwise(chart.panels), pairwise(places), strict=True):
            if upper.x == lower.x:
                ax.tick_params(bottom=False, labelbottom=False)
                ax.set_xlabel("")
    # Heights of legends and labels are read off the finished layout, so that they come last.
    figure = figure_of(places[0])
    figure.draw_without_rendering()
    for ax, panel in zip(places, chart.panels, strict=True):
        if panel.key and panel.marks:
            _draw_key(ax, panel)
        label_line_ends(ax, [_line_end(mark) for mark in panel.marks if isinstance(mark, Line) and mark.label])
    return figure


def _draw_panel(ax: Axes, panel: Panel, *, style: str) -> None:
    dress(ax, panel, style=style)
    if not panel.marks:
        # Its axes would show the numbers 0 to 1, which mean nothing.
        ax.set(xticks=[], yticks=[])
        ax.text(0.5, 0.5, panel.empty, transform=ax.transAxes, ha="center", va="center", color=GREY)
        return
    for mark in panel.marks:
        _draw(mark, ax, panel)
    set_axis(ax, panel.x, which="x", style=style)
    set_axis(ax, panel.y, which="y", style=style)


@singledispatch
def _draw(mark: Mark, ax: Axes, panel: Panel) -> None:
    raise TypeError(f"no drawing of a {type(mark).__name__}")


@_draw.register
def _(mark: Line, ax: Axes, panel: Panel) -> None:
    if not mark.width and not mark.marker:
        # A label alone: the axes have to hold the place that it points at.
        ax.update_datalim(list(zip(mark.x, mark.y, strict=True)))
        ax.autoscale_view()
        return
    # Points on the edge are drawn whole; what lies beyond a given limit is cut.
    inside = _within(mark.x, panel.x) and _within(mark.y, panel.y)
    (drawn,) = ax.plot(mark.x, mark.y, **_look(mark), clip_on=not inside, markevery=mark.marker_every)
    drawn.set_zorder(ORDER["line"] if mark.width else ORDER["points"])


@_draw.register
def _(mark: Band, ax: Axes, panel: Panel) -> None:
    ax.fill_between(mark.x, mark.low, mark.high, color=mark.colour, alpha=mark.opacity, linewidth=0, zorder=ORDER["band"])


@_draw.register
def _(mark: Bars, ax: Axes, panel: Panel) -> None:
    lines: Callable[..., Any] = ax.hlines if mark.horizontal else ax.vlines
    lines(mark.x, mark.low, mark.high, color=mark.colour, linewidth=mark.width, alpha=mark.opacity, zorder=ORDER["bars"])


@_draw.register
def _(mark: Rule, ax: Axes, panel: Panel) -> None:
    line = (ax.axvline if mark.vertical else ax.axhline)(mark.at, color=mark.colour, linewidth=1.0, linestyle=DASHES[mark.dash])
    line.set_zorder(ORDER["rule"])
    if not mark.text:
        return
    look: dict[str, Any] = {"textcoords": "offset points", "fontsize": SMALL_POINTS, "color": mark.colour, "parse_math": False}
    if mark.vertical:
        ax.annotate(mark.text, (mark.at, 1.0), (3, -2), xycoords=ax.get_xaxis_transform(), ha="left", va="top", **look)
    else:
        ax.annotate(mark.text, (1.0, mark.at), (0, 2), xycoords=ax.get_yaxis_transform(), ha="right", va="bottom", **look)


@_draw.register
def _(mark: Words, ax: Axes, panel: Panel) -> None:
    at = {"x": 0.01, "transform": ax.get_yaxis_transform()} if mark.x is None else {"x": mark.x}
    ax.text(y=mark.y, s=mark.text, fontsize=SMALL_POINTS, color=text_colour(mark.colour), va="bottom", parse_math=False, **at)


def _look(line: Line) -> dict[str, Any]:
    """A line's colour, dashes and markers as matplotlib's keywords; points alone have a white rim, which tells them from a line under them."""
    rim = line.colour if not line.filled or line.width else "white"
    return {
        "color": line.colour,
        "linestyle": DASHES[line.dash] if line.width else "none",
        "linewidth": line.width,
        "alpha": line.opacity,
        "marker": line.marker,
        "markersize": line.marker_size * (THIN_SHAPES_LARGER if line.marker in ("P", "X") else 1),
        "markerfacecolor": line.colour if line.filled else "white",
        "markeredgecolor": rim,
        # A rim of full width would leave nothing of a small marker.
        "markeredgewidth": min(1.0, RIM * line.marker_size) if line.filled else 1.3,
    }


def _within(values: Sequence[float], axis: Axis) -> bool:
    """Whether no value lies beyond a limit that the axis was given."""
    low = float("-inf") if axis.low is None else axis.low
    high = float("inf") if axis.high is None else axis.high
    return all(low <= value <= high for value in values)


def _draw_key(ax: Axes, panel: Panel) -> None:
    """The legend, above the curves where the axis leaves its height to them, so that it hides none."""
    handles = [Line2D([], [], **_look(line), label=line.name) for line in panel.key]
    look: dict[str, Any] = {"handlelength": 2.8, "framealpha": 0.85, "edgecolor": "none", "borderpad": 0.2}
    legend = ax.legend(handles=handles, loc="upper right", fontsize=SMALL_POINTS, **look)
    if panel.key_title:
        legend.set_title(panel.key_title, prop=FontProperties(size=SMALL_POINTS))
    if panel.y.high is None and not panel.y.log:
        taken = legend.get_window_extent().height / ax.bbox.height
        low, high = ax.get_ylim()
        ax.set_ylim(low, low + (high - low) / (1 - min(taken, MOST_OF_KEY)))


def _line_end(line: Line) -> LineEnd:
    assert line.label is not None
    return LineEnd(line.x[-1], line.y[-1], line.label, line.colour)
