"""How every drawing looks: its size and fonts, its title, its axes and its legend, in the package's own form and in that of the paper's figure 7."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.axis import Axis as DrawnAxis
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

from hf_ctxscale.charts.chart_data import Axis, Chart, Panel
from hf_ctxscale.charts.ticks import log_ticks, power_text, tick_text

# Inches and points: text of 9 to 12 points on 5.4 inches can be read on a phone (360 pixels wide) and at 1200 pixels alike.
WIDTH_INCHES = 5.4
PANEL_INCHES = 3.3  # height of the axes of a panel of height 1
FRAME_INCHES = 1.2  # title above it and axis below it
# The paper's form has titles of two lines, a legend inside each panel, and a line below both.
PAPER_WIDTH_INCHES = 6.4
PAPER_FRAME_INCHES = 1.7
PNG_DPI = 225
TITLE_POINTS = 12.5
TEXT_POINTS = 11.0
LABEL_POINTS = 10.0  # of labels at the ends of lines
SMALL_POINTS = 9.0
GREY = "#595959"
# What a chart's files need beyond matplotlib's own defaults: SVG text as text, ids that depend on the drawing alone, PDF text that can be searched.
STYLE: dict[str, Any] = {"svg.fonttype": "none", "svg.hashsalt": "hf-ctxscale", "pdf.fonttype": 42, "font.size": TEXT_POINTS}


def new_axes(chart: Chart) -> list[Axes]:
    """Axes for every panel on a figure of their own, outside pyplot's global list of figures."""
    heights = [panel.height for panel in chart.panels]
    rows, columns = (1, len(heights)) if chart.beside else (len(heights), 1)
    width, frame = (PAPER_WIDTH_INCHES, PAPER_FRAME_INCHES) if chart.style == "figure7" else (WIDTH_INCHES, FRAME_INCHES)
    size = (width * columns, frame + PANEL_INCHES * (max(heights) if chart.beside else sum(heights)))
    figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=0.07, h_pad=0.07))
    grid = figure.add_gridspec(rows, columns, height_ratios=None if chart.beside else heights)
    return [figure.add_subplot(grid[place]) for place in range(len(heights))]


def figure_of(ax: Axes) -> Figure:
    """The figure that axes stand on, outermost where figures are nested."""
    figure = ax.get_figure(root=True)
    assert isinstance(figure, Figure), "axes of a chart stand on a figure"
    return figure


def write_titles(axes: Sequence[Axes], chart: Chart) -> None:
    """Title and subtitle above the first panel, and each panel's own title right above it; centred and plain in the paper's form."""
    if chart.style == "figure7":
        for ax, panel in zip(axes, chart.panels, strict=True):
            ax.set_title(panel.title or chart.title, fontsize=TITLE_POINTS, parse_math=False)
        figure_of(axes[0]).supxlabel(chart.subtitle, fontsize=SMALL_POINTS, color=GREY, parse_math=False)
        return
    above: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points", "va": "bottom", "linespacing": 1.3}
    for place, (ax, panel) in enumerate(zip(axes, chart.panels, strict=True)):
        taken = 6.0
        if panel.title:
            ax.annotate(panel.title, (0, 1), (0, taken), fontsize=SMALL_POINTS, color="black" if chart.beside else GREY, **above)
            taken += 1.5 * SMALL_POINTS
        if place == 0:
            # A dollar sign in the name of a corpus is not the start of a formula.
            ax.annotate(chart.subtitle, (0, 1), (0, taken), fontsize=SMALL_POINTS, color=GREY, parse_math=False, **above)
            taken += 1.3 * SMALL_POINTS * (chart.subtitle.count("\n") + 1) if chart.subtitle else 0
            ax.set_title(chart.title, loc="left", fontsize=TITLE_POINTS, fontweight="bold", pad=taken + 4, parse_math=False)


def dress(ax: Axes, panel: Panel, *, style: str) -> None:
    """Axis labels and a light grid, no box round the chart; no grid in the paper's form."""
    for axis, drawn in ((panel.x, ax.xaxis), (panel.y, ax.yaxis)):
        drawn.set_label_text("" if axis.hidden else axis.label, fontsize=TEXT_POINTS)
    ax.tick_params(labelsize=TEXT_POINTS - 1)
    if style == "modern":
        ax.grid(True, color="#e6e6e6", linewidth=0.8)
        ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def set_axis(ax: Axes, axis: Axis, *, which: str, style: str) -> None:
    """Scale, limits and ticks of the x or the y axis, after the marks are drawn: limits that are not given follow them."""
    drawn, limits = (ax.xaxis, ax.set_xlim) if which == "x" else (ax.yaxis, ax.set_ylim)
    if axis.log:
        (ax.set_xscale if which == "x" else ax.set_yscale)("log")
    if axis.categories:
        limits(-0.5, len(axis.categories) - 0.5)
        drawn.set_ticks(range(len(axis.categories)), axis.categories)
    limits(axis.low, axis.high)
    if axis.log:
        _log_ticks(drawn, axis, limits(), style=style)
    elif axis.counts:
        drawn.set_major_formatter(FuncFormatter(lambda value, _: tick_text(value, counts=True)))
    if axis.hidden:
        drawn.set_ticks([])
        ax.spines["bottom" if which == "x" else "left"].set_visible(False)


def _log_ticks(drawn: DrawnAxis, axis: Axis, limits: tuple[float, float], *, style: str) -> None:
    """Plain numbers (50, 200K, 1M), or the powers of ten of the paper's figure where the axis has two of them or more."""
    ticks = log_ticks(*limits)
    powers = [tick for tick in ticks if power_text(tick).startswith("10")]
    in_powers = style == "figure7" and len(powers) > 1
    drawn.set_major_locator(FixedLocator(powers if in_powers else ticks))
    drawn.set_major_formatter(FuncFormatter(lambda value, _: power_text(value) if in_powers else tick_text(value, counts=axis.counts)))
    drawn.set_minor_locator(NullLocator())
    drawn.set_minor_formatter(NullFormatter())
