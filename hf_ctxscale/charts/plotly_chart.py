"""plotly_figure: a chart as an interactive figure of plotly, for reports; plotly_parts: its parts as plain data, for the Space."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from hf_ctxscale.charts.chart_data import Chart, Line
from hf_ctxscale.charts.plotly_layout import layout
from hf_ctxscale.charts.plotly_marks import traces

MOST_LISTED = 14  # names in the legend; of more, those that are also written at line ends


def plotly_figure(chart: Chart) -> go.Figure:
    """The chart with hover text, a legend whose names hide and show what belongs together, and labels at line ends.

    ``layout.meta["narrow"]`` is its layout for a phone: without labels at line ends, and with panels under each other.
    """
    listed = _listed(chart)
    narrow = layout(chart, listed=listed, narrow=True)
    return go.Figure(data=_traces(chart, listed=listed), layout=layout(chart, listed=listed, narrow=False) | {"meta": {"narrow": narrow}})


def plotly_parts(chart: Chart, *, width: float | None) -> dict[str, Any]:
    """The traces (``data``) and the ``layout`` of a figure as plain dictionaries and lists: plotly's own checks would take longer than to draw.

    Unlike the figure of a report, that of a wide page leaves out of the legend what is named where lines end.

    Args:
        chart: what is drawn.
        width: in pixels, of its place in the page; None: the layout of a phone.
    """
    if width is None:
        listed = _listed(chart)
        return {"data": _traces(chart, listed=listed), "layout": layout(chart, listed=listed, narrow=True)}
    listed = _not_labelled(chart)
    return {"data": _traces(chart, listed=listed), "layout": layout(chart, listed=listed, narrow=False, width=width)}


def _traces(chart: Chart, *, listed: Sequence[str]) -> list[dict[str, Any]]:
    """The traces of all panels; each name is listed once."""
    data, left = [], set(listed)
    for place, panel in enumerate(chart.panels):
        data += traces(panel, place=place, listed=left)
        left -= {mark.name for mark in panel.marks if isinstance(mark, Line)}
    return data


def _listed(chart: Chart) -> tuple[str, ...]:
    """The names in the legend, in the order of the marks, without those in a panel's own."""
    names = tuple(dict.fromkeys(line.name for line in _named(chart)))
    if len(names) <= MOST_LISTED:
        return names
    labelled = {line.label for line in _lines(chart)}
    return tuple(name for name in names if name in labelled)


def _not_labelled(chart: Chart) -> tuple[str, ...]:
    """Those of them that stand at no line's end, where they are few enough for a legend."""
    labelled = {line.group or line.name for line in _lines(chart) if line.label}
    names = tuple(dict.fromkeys(line.name for line in _named(chart) if (line.group or line.name) not in labelled))
    return names if len(names) <= MOST_LISTED else ()


def _named(chart: Chart) -> list[Line]:
    in_keys = {entry.name for panel in chart.panels for entry in panel.key}
    return [line for line in _lines(chart) if line.name and (line.width or line.marker) and line.name not in in_keys]


def _lines(chart: Chart) -> list[Line]:
    return [mark for panel in chart.panels for mark in panel.marks if isinstance(mark, Line)]
