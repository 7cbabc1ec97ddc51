"""Loss against training tokens for models of several sizes, with the law of size and data fitted to all of them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hf_ctxscale.analysis.given_table import ALL_ROWS
from hf_ctxscale.charts.chart_data import Axis, Band, Chart, Line, Mark, Panel
from hf_ctxscale.charts.fitted_curves import BAND_OPACITY
from hf_ctxscale.charts.fitted_series import FittedSeries, data_laws, form_text
from hf_ctxscale.charts.hover import hover_text, loss_text
from hf_ctxscale.charts.line_labels import ROOM_FOR_LABELS
from hf_ctxscale.charts.series import Row, family_colours, shades
from hf_ctxscale.charts.size_marks import axis_around
from hf_ctxscale.study import size_label

PANEL_HEIGHT = 0.8  # of a series' panel, where a panel that stands alone has 1
MOST_LABELLED = int(PANEL_HEIGHT * ROOM_FOR_LABELS)
SHADES_ALONE = ("#9ecae1", "#08519c")  # light to dark, for numbers of no family


def loss_vs_data_chart(fits: Mapping[str, Any]) -> Chart | None:
    """A panel for each series that has a grid of sizes and tokens; None where none has.

    Args:
        fits: results/fits.json.
    """
    laws = data_laws(fits)
    if not laws:
        return None
    x = axis_around([point["d"] for law in laws for point in law.fit["points"]], "Training tokens", counts=True)
    forms = " or ".join(dict.fromkeys(form_text(law.fit) for law in laws))
    # How the numbers of a table from elsewhere were measured is not known.
    known = all(law.family for law in laws)
    loss, points = ("Test loss", "points: runs with complete schedules\n") if known else ("Loss", "")
    return Chart(
        name="loss_vs_data",
        title=f"{loss} against training tokens",
        subtitle=f"{points}dashed: {forms}, one law for all sizes",
        panels=tuple(
            Panel(
                x=x,
                y=Axis(f"{loss} (nats per token)"),
                marks=tuple(mark for look in size_looks(law) for mark in _size(law, look)),
                title=law.label if len(laws) > 1 else "",
                height=PANEL_HEIGHT if len(laws) > 1 else 1.0,
            )
            for law in laws
        ),
    )


@dataclass(frozen=True)
class SizeLook:
    """How one size of a series is shown.

    Attributes:
        points: of this size, in order of their tokens.
        stands_out: it has a label and a band, which of many sizes only some have.
    """

    name: str
    curve: Row
    points: tuple[Row, ...]
    colour: str
    stands_out: bool


def size_looks(law: FittedSeries) -> list[SizeLook]:
    """Every size of a series, light for the smallest, dark for the largest."""
    architecture = law.fit["architecture"]
    curves = sorted(law.fit["curves"], key=lambda curve: curve["n"])
    colours = shades(family_colours(architecture) if architecture else SHADES_ALONE, len(curves))
    every = math.ceil(len(curves) / MOST_LABELLED)
    standing_out = [place % every == (len(curves) - 1) % every for place in range(len(curves))]
    return [
        SizeLook(
            name=f"{size_label(curve['n'])}{f' {law.label}' if law.family or law.label != ALL_ROWS else ''}",
            curve=curve,
            points=tuple(sorted((point for point in law.fit["points"] if point["n"] == curve["n"]), key=lambda point: point["d"])),
            colour=colour,
            stands_out=stands_out,
        )
        for curve, colour, stands_out in zip(curves, colours, standing_out, strict=True)
    ]


def _size(law: FittedSeries, look: SizeLook) -> list[Mark]:
    name, curve, points, colour, stands_out = look.name, look.curve, look.points, look.colour, look.stands_out
    line = Line(
        x=tuple(point["x"] for point in curve["curve"]),
        y=tuple(point["loss_nats"] for point in curve["curve"]),
        colour=colour,
        label=size_label(curve["n"]) if stands_out else None,
        dash="dashed",
        width=1.2,
        hover=tuple(
            hover_text(name, f"fitted {form_text(law.fit)}", loss_text(p["loss_nats"], p["low"], p["high"])) for p in curve["curve"]
        ),
        group=name,
    )
    measured = Line(
        x=tuple(point["d"] for point in points),
        y=tuple(point["loss_nats"] for point in points),
        colour=colour,
        name=name,
        width=0,
        marker=law.marker,
        hover=tuple(
            hover_text(name, f"{size_label(point['d'])} tokens", loss_text(point["loss_nats"]), f"fit {point['residual']:+.3f}")
            for point in points
        ),
        group=name,
    )
    banded = [point for point in curve["curve"] if point["low"] is not None and point["high"] is not None]
    x, low, high = (tuple(point[key] for point in banded) for key in ("x", "low", "high"))
    band = [Band(x, low, high, colour, opacity=BAND_OPACITY, group=name)] if banded and stands_out else []
    return [*band, line, measured]
