"""Screen and shown_parts: a chart as it is shown to one visitor, on a wide page or a phone, in light or in dark colours."""

import colorsys
import re
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go
from matplotlib.colors import to_rgba

from hf_ctxscale.charts.chart_data import Chart
from hf_ctxscale.charts.plotly_chart import plotly_parts

HALF_PAGE = 560.0  # pixels: two charts stand beside each other
AXIS = re.compile(r"[xy]axis\d*")
DARK_PAPER, DARK_INK = "#18181b", "#f4f4f5"
MIN_CONTRAST = 4.5  # of text on the dark paper (WCAG 2.2, 1.4.3)
GREYEST = 0.04  # how far a grey's parts lie apart at most
# What is dark on white is light on black: lightness is turned round, and kept off the ends.
LIGHTEST, TURNED = 0.95, 0.48
RGBA = re.compile(r"rgba\((\d+), (\d+), (\d+), ([\d.]+)\)")


@dataclass(frozen=True)
class Screen:
    """What decides how charts are drawn for a visitor: whether the page is as narrow as a phone, and whether it is dark."""

    narrow: bool = False
    dark: bool = False


def shown_figure(chart: Chart, *, screen: Screen) -> go.Figure:
    """The chart as a figure of plotly in the layout and colours of a screen."""
    return go.Figure(**shown_parts(chart, screen=screen))


def shown_parts(chart: Chart, *, screen: Screen) -> dict[str, Any]:
    """``data`` and ``layout`` of that figure, as plain data."""
    parts = plotly_parts(chart, width=None if screen.narrow else HALF_PAGE)
    if not screen.narrow:
        # A report does not zoom where ticks are written out; the page's script lets plotly choose ticks while a reader has zoomed in.
        for name, axis in parts["layout"].items():
            if AXIS.match(name) and axis.get("type") == "log" and axis.get("visible", True):
                axis["fixedrange"] = False
    return _recoloured(parts) if screen.dark else parts


def _recoloured(value: Any, *, key: str = "") -> Any:
    """All colours of a figure, as they are on dark paper; plotly's names of colours end in ``color``."""
    if isinstance(value, dict):
        return {name: _recoloured(part, key=name) for name, part in value.items()}
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [_recoloured(part) for part in value]
    return on_dark(value) if key.endswith("color") and isinstance(value, str) else value


def on_dark(colour: str) -> str:
    """A colour of a light chart as it is on dark paper: greys turned round, others light enough to be read there; both keep their opacity."""
    found = RGBA.fullmatch(colour)
    red, green, blue, opacity = (*(int(part) / 255 for part in found.groups()[:3]), float(found[4])) if found else to_rgba(colour)
    if max(red, green, blue) - min(red, green, blue) <= GREYEST:
        paper, ink = to_rgba(DARK_PAPER), to_rgba(DARK_INK)
        rgb = tuple(end + (start - end) * red for start, end in zip(paper[:3], ink[:3], strict=True))
    else:
        hue, lightness, saturation = colorsys.rgb_to_hls(red, green, blue)
        lightness = LIGHTEST - TURNED * lightness
        rgb = colorsys.hls_to_rgb(hue, lightness, saturation)
        while opacity == 1 and contrast(rgb, to_rgba(DARK_PAPER)[:3]) < MIN_CONTRAST:
            lightness += 0.02
            rgb = colorsys.hls_to_rgb(hue, lightness, saturation)
    parts = ", ".join(str(round(255 * part)) for part in rgb)
    return f"rgb({parts})" if opacity == 1 else f"rgba({parts}, {opacity:g})"


def contrast(first: tuple[float, ...], second: tuple[float, ...]) -> float:
    """WCAG's contrast ratio of two colours, 1 to 21."""
    low, high = sorted((_luminance(first), _luminance(second)))
    return (high + 0.05) / (low + 0.05)


def _luminance(rgb: tuple[float, ...]) -> float:
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in rgb]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
