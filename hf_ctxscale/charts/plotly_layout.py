"""layout: where everything of a chart stands in plotly, in a wide page and on a phone: axes, ticks, titles, labels at line ends, legends."""

from collections.abc import Collection, Sequence
from itertools import pairwise
from textwrap import wrap
from typing import Any

from hf_ctxscale.charts.chart_data import Chart, Panel, Rule
from hf_ctxscale.charts.plotly_annotations import LEADER, labelled, labels, panel_title, rule_shape, words
from hf_ctxscale.charts.plotly_axes import axis_layout, axis_limits
from hf_ctxscale.charts.plotly_marks import axis_name, pixels, plain
from hf_ctxscale.charts.style import GREY, LABEL_POINTS, SMALL_POINTS, TITLE_POINTS

Layout = dict[str, Any]
Domains = tuple[list[float], list[float]]  # of a panel's x and y axis, as shares of the drawing

# Pixels. Widths are those that texts are broken for; plotly itself follows the page.
WIDE, NARROW = 820, 340
PANEL_HEIGHT = 340  # of a panel of height 1
LEFT, RIGHT, AXIS_HEIGHT, BETWEEN_PANELS = 58, 14, 54, 14
LINE_SPACING = 1.35
CHARACTER, BOLD = 0.55, 1.1  # mean width of a character, as a share of its size; how much wider bold ones are
LEGEND_MARK, LEGEND_ROW = 46, 20  # of a legend's entry: the line and the space around it, and its height
MOST_FOR_LEGEND = 0.5  # of a panel's height
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"


def layout(chart: Chart, *, listed: Collection[str], narrow: bool, width: float | None = None) -> Layout:
    """The chart's layout.

    Args:
        chart: what is drawn.
        listed: names in the legend under the chart.
        narrow: for a phone: panels under each other, no labels at line ends (the legend names the lines), a finger scrolls the page.
        width: that texts are broken for, in pixels; None: of a report's page, or of a phone.
    """
    width = width or (NARROW if narrow else WIDE)
    stacked = narrow or not chart.beside
    rooms = [0.0 if narrow else _room_for_labels(panel) for panel in chart.panels]
    domains, inner = _stacked(chart) if stacked else _beside(chart, rooms)
    title, top = _title(chart, width=width, beside=not stacked)
    right = RIGHT + (max(rooms) if stacked else rooms[-1])
    bottom = AXIS_HEIGHT + _legend_rows(listed, width=width - LEFT - right) * LEGEND_ROW
    found = _frame(narrow=narrow) | {
        "title": title,
        "height": round(top + inner + bottom),
        "margin": {"l": LEFT, "r": round(right), "t": round(top), "b": round(bottom)},
        # Plotly would let the reader scroll in half of the height.
        "legend": _legend()
        | {"orientation": "h", "x": 0, "xanchor": "left", "y": -AXIS_HEIGHT / inner, "yanchor": "top", "maxheight": bottom},
    }
    shapes: list[Layout] = []
    annotations: list[Layout] = []
    for place, (panel, (x_domain, y_domain)) in enumerate(zip(chart.panels, domains, strict=True)):
        names = axis_name("x", place), axis_name("y", place)
        x_limits, y_limits = axis_limits(panel, panel.x, "x"), _y_limits(panel)
        x = axis_layout(panel.x, x_limits, chart, fixed=narrow) | {"domain": x_domain, "anchor": names[1]}
        if stacked and place + 1 < len(chart.panels) and chart.panels[place + 1].x == panel.x:
            x |= {"title": None, "showticklabels": False}
        found[f"xaxis{names[0][1:]}"] = x
        found[f"yaxis{names[1][1:]}"] = axis_layout(panel.y, y_limits, chart, fixed=narrow) | {"domain": y_domain, "anchor": names[0]}
        shapes += [rule_shape(mark, names, y_limits if mark.vertical else x_limits) for mark in panel.marks if isinstance(mark, Rule)]
        annotations += words(panel, names) + panel_title(panel, names, chart)
        if not narrow:
            annotations += labels(panel, names, y_limits, height=PANEL_HEIGHT * panel.height)
        if panel.key:
            found[f"legend{place + 2}"] = _key_legend(panel, x_domain, y_domain)
    return found | {"shapes": shapes, "annotations": _within(annotations, width=width - LEFT - RIGHT) if narrow else annotations}


def _within(annotations: Sequence[Layout], *, width: float) -> list[Layout]:
    """Words that begin at the left edge of a panel, all of one size, small enough to end before its right one."""
    from_left = [own for own in annotations if own.get("xanchor") == "left"]
    longest = max((len(line) for own in from_left for line in own["text"].split("<br>")), default=0)
    size = round(min(pixels(SMALL_POINTS), width / (CHARACTER * max(1, longest))), 1)
    return [own | {"font": own["font"] | {"size": size}} if own in from_left else own for own in annotations]


def _frame(*, narrow: bool) -> Layout:
    """What all charts share: plain white, one font, hover text on white."""
    return {
        "template": {},
        "font": {"family": FONT, "size": pixels(SMALL_POINTS), "color": "#222222"},
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        "hoverlabel": {"bgcolor": "white", "font": {"size": pixels(SMALL_POINTS)}},
        "hovermode": "closest",
        "dragmode": False if narrow else "zoom",
    }


def _legend() -> Layout:
    """What all legends share; one entry shows and hides its whole group."""
    return {"font": {"size": pixels(SMALL_POINTS)}, "groupclick": "togglegroup", "tracegroupgap": 0}


def _y_limits(panel: Panel) -> tuple[float, float]:
    """The y axis' limits, with room above the marks for the panel's own legend."""
    low, high = axis_limits(panel, panel.y, "y")
    if not panel.key or panel.y.log or panel.y.high is not None:
        return low, high
    share = LEGEND_ROW * (len(panel.key) + bool(panel.key_title) + 1) / (PANEL_HEIGHT * panel.height)
    return low, low + (high - low) / (1 - min(share, MOST_FOR_LEGEND))


def _stacked(chart: Chart) -> tuple[list[Domains], float]:
    """Domains of panels under each other, and the pixels that they take; a panel that does not share the next one's x needs room for its axis."""
    heights = [PANEL_HEIGHT * panel.height for panel in chart.panels]
    gaps = [
        BETWEEN_PANELS + _panel_title_height(below) + (0 if above.x == below.x else AXIS_HEIGHT) for above, below in pairwise(chart.panels)
    ]
    inner = sum(heights) + sum(gaps)
    domains, top = [], inner
    for height, gap in zip(heights, [*gaps, 0.0], strict=True):
        domains.append(([0.0, 1.0], [max(0.0, (top - height) / inner), top / inner]))
        top -= height + gap
    return domains, inner


def _beside(chart: Chart, rooms: Sequence[float]) -> tuple[list[Domains], float]:
    """Domains of panels beside each other, each with room for its labels and the next one's axis, and the pixels of their height."""
    inner = WIDE - LEFT - RIGHT - rooms[-1]
    gaps = [room + LEFT + RIGHT for room in rooms[:-1]]
    width = (inner - sum(gaps)) / len(rooms)
    domains, left = [], 0.0
    for gap in [*gaps, 0.0]:
        domains.append(([left / inner, min(1.0, (left + width) / inner)], [0.0, 1.0]))
        left += width + gap
    return domains, PANEL_HEIGHT * max(panel.height for panel in chart.panels)


def _title(chart: Chart, *, width: float, beside: bool) -> tuple[Layout, float]:
    """Title and subtitle, fitted to the width, and the height that they take with a panel's title."""
    lines = [part for line in chart.subtitle.split("\n") if line for part in wrap(line, _characters(width, SMALL_POINTS))]
    title = {
        "text": f"<b>{plain(chart.title)}</b>",
        # Plotly cuts a title of two lines at the top: a long one is smaller instead.
        "font": {"size": round(min(pixels(TITLE_POINTS), width / (BOLD * CHARACTER * max(1, len(chart.title)))), 1)},
        "x": 0.01,
        "xanchor": "left",
        "y": 1,
        "yref": "container",
        "yanchor": "top",
        "pad": {"t": 8},
        "subtitle": {"text": "<br>".join(map(plain, lines)), "font": {"size": pixels(SMALL_POINTS), "color": GREY}},
    }
    own = max(map(_panel_title_height, chart.panels if beside else chart.panels[:1]))
    return title, 20 + _text_height(TITLE_POINTS) + _text_height(SMALL_POINTS) * len(lines) + own


def _panel_title_height(panel: Panel) -> float:
    return _text_height(SMALL_POINTS) * (panel.title.count("\n") + 1) if panel.title else 0.0


def _key_legend(panel: Panel, x_domain: list[float], y_domain: list[float]) -> Layout:
    """The panel's own legend, in its upper right corner."""
    title = {"title": {"text": plain(panel.key_title), "font": {"size": pixels(SMALL_POINTS)}}} if panel.key_title else {}
    place = {"x": x_domain[1], "xanchor": "right", "y": y_domain[1], "yanchor": "top"}
    return _legend() | title | place | {"bgcolor": "rgba(255, 255, 255, 0.85)", "itemclick": False, "itemdoubleclick": False}


def _legend_rows(listed: Collection[str], *, width: float) -> int:
    """Rows of the legend under the chart: it is as wide as the axes, and plotly gives every entry the width of the longest."""
    if not listed:
        return 0
    widest = LEGEND_MARK + max(_text_width(name, SMALL_POINTS) for name in listed)
    return -(-len(listed) // max(1, int(width / widest)))


def _room_for_labels(panel: Panel) -> float:
    """Pixels that the labels at line ends take beside the panel."""
    return max((LEADER + _text_width(line.label or "", LABEL_POINTS) for line in labelled(panel)), default=0.0)


def _text_width(text: str, points: float) -> float:
    return len(text) * CHARACTER * pixels(points)


def _text_height(points: float) -> float:
    return LINE_SPACING * pixels(points)


def _characters(width: float, points: float) -> int:
    """How many characters fit into a width."""
    return int(width / (CHARACTER * pixels(points)))
