"""Chart: everything that a chart shows, as data: what both renderers, matplotlib's and plotly's, draw from.

A chart of this package is a function that makes a Chart out of the study's tables; it computes no statistics and draws nothing.
"""

from dataclasses import dataclass, field
from typing import Literal

Dash = Literal["solid", "dashed", "dotted", "dashdot"]


@dataclass(frozen=True)
class Axis:
    """One axis. ``counts``: ticks are written as 26K and 1.5M; limits that are None follow the marks; ``hidden``: neither ticks nor label."""

    label: str
    log: bool = False
    counts: bool = False
    low: float | None = None
    high: float | None = None
    categories: tuple[str, ...] = ()  # names at 0, 1, 2, ...; empty: numbers
    hidden: bool = False


@dataclass(frozen=True)
class Line:
    """Points joined by a line, or points alone (``width=0``); without line and marker only its label is drawn.

    Attributes:
        name: what the legend and the hover text call it; empty: it is in no legend.
        label: written at the line's end in the right margin, in its colour; None: nothing is.
        marker: matplotlib's name of a shape, one of o s ^ v < > D d h H 8 P X * p; empty: none.
        marker_every: only every so many points have a marker.
        filled: whether markers are filled with the colour; otherwise they are white with an edge.
        hover: one text for each point; empty: the renderer writes x and y.
        group: lines, bands and bars of one group are shown and hidden together in the interactive chart.
    """

    x: tuple[float, ...]
    y: tuple[float, ...]
    colour: str
    name: str = ""
    label: str | None = None
    dash: Dash = "solid"
    width: float = 1.6
    opacity: float = 1.0
    marker: str = ""
    marker_size: float = 6.0
    marker_every: int = 1
    filled: bool = True
    hover: tuple[str, ...] = ()
    group: str = ""


@dataclass(frozen=True)
class Band:
    """An interval around a line, as an area."""

    x: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    colour: str
    opacity: float = 0.14
    group: str = ""


@dataclass(frozen=True)
class Bars:
    """Intervals of single points, as upright bars, or lying ones (``horizontal``: x is then the height at which each lies)."""

    x: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    colour: str
    width: float = 1.4
    opacity: float = 0.8
    horizontal: bool = False
    group: str = ""


@dataclass(frozen=True)
class Rule:
    """A straight line across the panel at one value, such as zero, with a word at its end."""

    at: float
    text: str = ""
    vertical: bool = False
    colour: str = "#767676"
    dash: Dash = "solid"


@dataclass(frozen=True)
class Words:
    """A line of small text inside the panel, its lower left corner at a height of the y axis and at x, or at the panel's left edge."""

    text: str
    y: float
    x: float | None = None
    colour: str = "#595959"


Mark = Line | Band | Bars | Rule | Words


@dataclass(frozen=True)
class Panel:
    """One pair of axes. ``key``: entries of the legend in the drawing, each a line without points, such as what dashes mean.

    Panels above each other whose x axes are equal share one.
    """

    x: Axis
    y: Axis
    marks: tuple[Mark, ...]
    title: str = ""
    height: float = 1.0  # relative to the chart's other panels where they stand above each other
    key: tuple[Line, ...] = ()
    key_title: str = ""
    empty: str = "no finished run to draw"  # what stands there without marks


@dataclass(frozen=True)
class Chart:
    """A chart: one panel, or several above or beside each other.

    Attributes:
        name: of its files in charts/.
        title: one short line.
        subtitle: what a reader must know who sees the drawing alone, a few lines.
        caption: corpus, tokens, seeds, interval, and how to read it: one paragraph under the chart.
        alternative_text: for readers who cannot see it.
    """

    name: str
    title: str
    subtitle: str
    panels: tuple[Panel, ...]
    beside: bool = False
    caption: str = ""
    alternative_text: str = ""
    style: Literal["modern", "figure7"] = field(default="modern")
