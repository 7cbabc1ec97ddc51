"""axis_layout: one axis of a chart as plotly takes it: scale, limits and ticks, the same as in the drawing."""

import math
from collections.abc import Iterator
from typing import Any

from hf_ctxscale.charts.chart_data import Axis, Band, Bars, Chart, Line, Panel, Rule, Words
from hf_ctxscale.charts.plotly_marks import pixels, plain
from hf_ctxscale.charts.style import SMALL_POINTS, TEXT_POINTS
from hf_ctxscale.charts.ticks import log_ticks, tick_text

Layout = dict[str, Any]

MARGIN = 0.05  # of an axis whose limits follow the marks
GRID = "#e6e6e6"


def axis_layout(axis: Axis, limits: tuple[float, float], chart: Chart, *, fixed: bool) -> Layout:
    """One axis with its ticks. One whose ticks are written out is not zoomed: there would be none between them."""
    if axis.hidden:
        return {
            "visible": False,
            "range": [on_axis(axis, limit) for limit in limits],
            "type": "log" if axis.log else "linear",
            "fixedrange": True,
        }
    modern = chart.style == "modern"
    found: Layout = {
        "title": {"text": plain(axis.label), "font": {"size": pixels(TEXT_POINTS - 1)}, "standoff": 8},
        "type": "log" if axis.log else "linear",
        "range": [on_axis(axis, limit) for limit in limits],
        "showgrid": modern,
        "gridcolor": GRID,
        "zeroline": False,
        "showline": True,
        "linecolor": "black",
        "ticks": "outside",
        "ticklen": 4,
        "tickangle": 0,
        "tickfont": {"size": pixels(SMALL_POINTS)},
        "fixedrange": fixed or axis.log or bool(axis.categories),
        "automargin": True,
    }
    if axis.log:
        ticks = log_ticks(*limits)
        found |= {"tickvals": list(ticks), "ticktext": [tick_text(tick, counts=axis.counts) for tick in ticks]}
    elif axis.categories:
        found |= {"tickvals": list(range(len(axis.categories))), "ticktext": [plain(name) for name in axis.categories]}
    elif axis.counts:
        found["tickformat"] = "~s"
    return found


def on_axis(axis: Axis, value: float) -> float:
    """A value as plotly takes it for limits and annotations: the logarithm on a log axis."""
    return math.log10(value) if axis.log else value


def axis_limits(panel: Panel, axis: Axis, letter: str) -> tuple[float, float]:
    """The axis' own limits, or the marks' with a little room."""
    if axis.categories:
        return -0.5, len(axis.categories) - 0.5
    if axis.low is not None and axis.high is not None:
        return axis.low, axis.high
    values = [value for value in _values(panel, letter) if math.isfinite(value) and (value > 0 or not axis.log)]
    if not values:
        return (1.0, 10.0) if axis.log else (0.0, 1.0)
    low, high = (math.log10(value) if axis.log else value for value in (min(values), max(values)))
    room = MARGIN * ((high - low) or 1.0)
    ends = [10**end if axis.log else end for end in (low - room, high + room)]
    return ends[0] if axis.low is None else axis.low, ends[1] if axis.high is None else axis.high


def _values(panel: Panel, letter: str) -> Iterator[float]:
    """Every number of the marks along x or y."""
    for mark in panel.marks:
        match mark:
            case Line():
                yield from mark.x if letter == "x" else mark.y
            case Band():
                yield from mark.x if letter == "x" else (*mark.low, *mark.high)
            case Bars():
                yield from mark.x if (letter == "x") != mark.horizontal else (*mark.low, *mark.high)
            case Rule() if mark.vertical == (letter == "x"):
                yield mark.at
            case Words() if letter == "y":
                yield mark.y
