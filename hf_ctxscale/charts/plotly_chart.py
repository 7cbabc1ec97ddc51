"""plotly_figure: a chart as an interactive figure of plotly, for reports and the Space."""

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
    data, left = [], set(listed)
    for place, panel in enumerate(chart.panels):
        data += traces(panel, place=place, listed=left)
        left -= {mark.name for mark in panel.marks if isinstance(mark, Line)}
    shown = layout(chart, listed=listed, narrow=False)
    return go.Figure(data=data, layout=shown | {"meta": {"narrow": layout(chart, listed=listed, narrow=True)}})


def _listed(chart: Chart) -> tuple[str, ...]:
    """The names in the legend, in the order of the marks, without those in a panel's own."""
    lines = [mark for panel in chart.panels for mark in panel.marks if isinstance(mark, Line) and mark.name and (mark.width or mark.marker)]
    in_keys = {entry.name for panel in chart.panels for entry in panel.key}
    names = tuple(dict.fromkeys(line.name for line in lines if line.name not in in_keys))
    if len(names) <= MOST_LISTED:
        return names
    labelled = {mark.label for panel in chart.panels for mark in panel.marks if isinstance(mark, Line)}
    return tuple(name for name in names if name in labelled)
