"""traces: the marks of a chart as traces of plotly: lines with hover text, bands as areas, intervals as bars."""

import math
from collections.abc import Collection, Iterable, Sequence
from html import escape
from typing import Any

from hf_ctxscale.charts.chart_data import Axis, Band, Bars, Line, Panel

Trace = dict[str, Any]

PIXELS_PER_POINT = 4 / 3  # a Chart gives widths in points, plotly takes pixels
DASHES = {"solid": "solid", "dashed": "dash", "dotted": "dot", "dashdot": "dashdot"}
SYMBOLS = {
    "o": "circle",
    "s": "square",
    "^": "triangle-up",
    "v": "triangle-down",
    "<": "triangle-left",
    ">": "triangle-right",
    "D": "diamond",
    "d": "diamond-tall",
    "h": "hexagon",
    "H": "hexagon2",
    "8": "octagon",
    "P": "cross",
    "X": "x",
    "*": "star",
    "p": "pentagon",
}
DIGITS = 7  # significant: more than anyone reads off a chart, and half the bytes in a page


def traces(panel: Panel, *, place: int, listed: Collection[str]) -> list[Trace]:
    """The traces of one panel, bands first so that lines lie on top.

    Args:
        place: of the panel in its chart; its axes are x and y, x2 and y2, and so on.
        listed: names that the legend still has to list; each is listed by the first line that has it.
    """
    axes = {"type": "scatter", "xaxis": axis_name("x", place), "yaxis": axis_name("y", place)}
    left = set(listed)
    found = [_area(mark) for mark in panel.marks if isinstance(mark, Band)]
    found += [_intervals(mark) for mark in panel.marks if isinstance(mark, Bars)]
    for mark in panel.marks:
        if isinstance(mark, Line) and (mark.width or mark.marker):
            found.append(_line(mark, panel, showlegend=mark.name in left))
            left.discard(mark.name)
    found += [_key(entry, legend=f"legend{place + 2}") for entry in panel.key]
    return [axes | trace for trace in found]


def axis_name(letter: str, place: int) -> str:
    """``x``, ``x2``: what plotly calls the axes of a panel."""
    return letter if place == 0 else f"{letter}{place + 1}"


def plain(text: str) -> str:
    """Text as plotly shows it: what looks like a tag is written, not obeyed."""
    return escape(text, quote=False).replace("\n", "<br>")


def pixels(points: float) -> float:
    """Points as pixels."""
    return round(points * PIXELS_PER_POINT, 2)


def _line(line: Line, panel: Panel, *, showlegend: bool) -> Trace:
    drawn = [part for part, has in (("lines", line.width > 0), ("markers", line.marker)) if has]
    trace = {
        "x": _numbers(line.x),
        "y": _numbers(line.y),
        "mode": "+".join(drawn),
        "name": plain(line.name),
        "opacity": line.opacity,
        "showlegend": showlegend,
        "legendgroup": line.group or line.name,
        "hovertemplate": _hover(line, panel),
        "cliponaxis": False,
        **_strokes(line),
    }
    if line.hover:
        trace["text"] = [plain(text) for text in line.hover]
    return trace


def _strokes(line: Line) -> Trace:
    """Line and markers; an open marker is white with an edge."""
    strokes: Trace = {"line": {"color": line.colour, "width": pixels(line.width), "dash": DASHES[line.dash]}}
    if line.marker:
        size: float | list[float] = pixels(line.marker_size)
        if line.marker_every > 1:
            size = [pixels(line.marker_size) if not place % line.marker_every else 0 for place in range(len(line.x))]
        edge = {"color": "white", "width": 0.7} if line.filled else {"color": line.colour, "width": 1.6}
        strokes["marker"] = {
            "symbol": SYMBOLS[line.marker],
            "size": size,
            "color": line.colour if line.filled else "white",
            "opacity": 1,
            "line": edge,
        }
    return strokes


def _hover(line: Line, panel: Panel) -> str:
    """The line's name, and each axis with its value."""
    if line.hover:
        return "%{text}<extra></extra>"
    named = line.name or line.group
    name = f"<b>{plain(named)}</b><br>" if named else ""
    return f"{name}{_value('x', panel.x)}<br>{_value('y', panel.y)}<extra></extra>"


def _value(letter: str, axis: Axis) -> str:
    """Counts in full with their thousands set apart; losses to a thousandth; numbers over many powers of ten by their leading digits."""
    if axis.categories:
        return f"%{{{letter}}}"
    form = ",.0f" if axis.counts else ".4g" if axis.log else ".3f"
    return f"{plain(axis.label)}: %{{{letter}:{form}}}"


def _area(band: Band) -> Trace:
    return {
        "x": _numbers((*band.x, *reversed(band.x))),
        "y": _numbers((*band.low, *reversed(band.high))),
        "mode": "lines",
        "line": {"width": 0},
        "fill": "toself",
        "fillcolor": _transparent(band.colour, band.opacity),
        "legendgroup": band.group,
        "showlegend": False,
        "hoverinfo": "skip",
    }


def _intervals(bars: Bars) -> Trace:
    """All bars as one line with gaps."""
    at = _numbers(value for x in bars.x for value in (x, x, None))
    ends = _numbers(value for low, high in zip(bars.low, bars.high, strict=True) for value in (low, high, None))
    return {
        "x": ends if bars.horizontal else at,
        "y": at if bars.horizontal else ends,
        "mode": "lines",
        "line": {"color": bars.colour, "width": pixels(bars.width)},
        "opacity": bars.opacity,
        "legendgroup": bars.group,
        "showlegend": False,
        "hoverinfo": "skip",
    }


def _key(entry: Line, *, legend: str) -> Trace:
    """An entry of a panel's own legend: a line that has no points."""
    mode = "lines+markers" if entry.width and entry.marker else "markers" if entry.marker else "lines"
    return {
        "x": [None],
        "y": [None],
        "mode": mode,
        "name": plain(entry.name),
        "legend": legend,
        "showlegend": True,
        "hoverinfo": "skip",
        **_strokes(entry),
    }


def _numbers(values: Iterable[float | None]) -> list[float | None]:
    """Rounded; a gap where there is no number."""
    return [None if value is None or not math.isfinite(value) else float(f"{value:.{DIGITS}g}") for value in values]


def _transparent(colour: str, opacity: float) -> str:
    """``rgba(8, 65, 124, 0.14)`` of ``#08417c``."""
    parts: Sequence[int] = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
    return f"rgba({', '.join(map(str, parts))}, {opacity:g})"
