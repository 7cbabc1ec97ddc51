"""How every chart looks: its size and fonts, its title, its log axis, and how a count is written."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from hf_ctxscale.study import size_label

# Inches and points: text of 9 to 12 points on 5.4 inches can be read on a phone (360 pixels wide) and at 1200 pixels alike.
WIDTH_INCHES = 5.4
HEIGHT_INCHES = 4.5
PNG_DPI = 225
TITLE_POINTS = 12.5
TEXT_POINTS = 11.0
LABEL_POINTS = 10.0  # of labels at the ends of lines
SMALL_POINTS = 9.0
GREY = "#595959"
# What a chart's files need beyond matplotlib's own defaults: SVG text as text, and ids that depend on the drawing alone.
STYLE: dict[str, Any] = {"svg.fonttype": "none", "svg.hashsalt": "hf-ctxscale", "font.size": TEXT_POINTS}


def new_axes() -> Axes:
    """Axes on a figure of their own, outside pyplot's global list of figures."""
    figure = Figure(figsize=(WIDTH_INCHES, HEIGHT_INCHES), layout=ConstrainedLayoutEngine(w_pad=0.07, h_pad=0.07))
    return figure.add_subplot()


def figure_of(ax: Axes) -> Figure:
    """The figure that axes stand on, outermost where figures are nested."""
    figure = ax.get_figure(root=True)
    assert isinstance(figure, Figure), "axes of a chart stand on a figure"
    return figure


def dress(ax: Axes, *, title: str, subtitle: str, x_label: str, y_label: str) -> None:
    """Title, subtitle, axis labels and a light grid; no box round the chart."""
    subtitle_points = 1.3 * SMALL_POINTS * (subtitle.count("\n") + 1)
    ax.set_title(title, loc="left", fontsize=TITLE_POINTS, fontweight="bold", pad=10 + subtitle_points)
    place: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points", "va": "bottom"}
    # A dollar sign in the name of a corpus is not the start of a formula.
    ax.annotate(subtitle, (0, 1), (0, 6), fontsize=SMALL_POINTS, color=GREY, linespacing=1.3, parse_math=False, **place)
    ax.set_xlabel(x_label, fontsize=TEXT_POINTS)
    ax.set_ylabel(y_label, fontsize=TEXT_POINTS)
    ax.tick_params(labelsize=TEXT_POINTS - 1)
    ax.grid(True, color="#e6e6e6", linewidth=0.8)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def log_x(ax: Axes, low: float, high: float) -> None:
    """A log axis from ``low`` to ``high`` whose ticks are plain numbers (50, 200K, 1M): the shorter the axis, the more."""
    ax.set_xscale("log")
    ax.set_xlim(low, high)
    ax.xaxis.set_major_locator(LogLocator(base=10, subs=_tick_multiples(high / low), numticks=20))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: size_label(value)))
    ax.xaxis.set_minor_formatter(NullFormatter())


def _tick_multiples(span: float) -> tuple[int, ...]:
    """Which multiples of each power of ten have a tick, so that an axis has about four to seven and their labels do not touch."""
    if span < 6:
        return (1, 2, 3, 4, 5, 6, 8)
    if span < 30:
        return (1, 2, 3, 5)
    if span < 150:
        return (1, 2, 5)
    return (1, 3) if span < 2e4 else (1,)


def say_empty(ax: Axes) -> None:
    """What stands on a chart that has nothing to draw."""
    ax.text(0.5, 0.5, "no finished run to draw", transform=ax.transAxes, ha="center", va="center", color=GREY)
