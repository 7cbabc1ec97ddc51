"""Residuals of the fits: what each measured loss is above or below its law, against size and against position."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import pyarrow as pa

from hf_ctxscale.charts.chart_data import Axis, Bars, Chart, Line, Mark, Panel, Rule
from hf_ctxscale.charts.fitted_series import FittedSeries, form_text, size_laws
from hf_ctxscale.charts.hover import hover_text, position_text
from hf_ctxscale.charts.line_labels import ROOM_FOR_LABELS
from hf_ctxscale.charts.loss_vs_position import middles
from hf_ctxscale.charts.model_lines import ModelLine, model_lines
from hf_ctxscale.charts.series import Row, Series, chart_series
from hf_ctxscale.charts.size_marks import axis_around
from hf_ctxscale.study import size_label

ZERO = Rule(0.0)
PANEL_HEIGHT = 0.62  # of a family's panel, where a panel that stands alone has 1
AXIS_LABEL = "Residual (nats)"  # measured minus fitted


def size_residuals_chart(fits: Mapping[str, Any]) -> Chart | None:
    """A panel for each family: every run's loss minus that of its series' law, with the loss's interval; None where no law has residuals.

    Args:
        fits: results/fits.json. A law through two points has none, and is left out.
    """
    laws = size_laws(fits)
    if not laws:
        return None
    families = [list(own) for _, own in groupby(laws, key=lambda law: law.family)]
    points = [point for law in laws for point in law.fit["points"]]
    # Whether a table from elsewhere counts embeddings is not known.
    x = axis_around([point["x"] for point in points], "Parameters (non-embedding)" if laws[0].family else "Parameters", counts=True)
    bars = "\nbars: intervals of the measured losses" if any(point["loss_low"] is not None for point in points) else ""
    forms = " or ".join(dict.fromkeys(form_text(law.fit) for law in laws))
    return Chart(
        name="size_residuals",
        title="Residuals of loss against model size",
        subtitle=f"measured minus fitted {forms}{bars}",
        panels=tuple(
            Panel(
                x=x,
                y=Axis(AXIS_LABEL),
                marks=(ZERO, *(mark for law in own for mark in _size_marks(law))),
                title=own[0].family if len(families) > 1 else "",
                height=PANEL_HEIGHT if len(families) > 1 else 1.0,
            )
            for own in families
        ),
    )


def _size_marks(law: FittedSeries) -> list[Mark]:
    """Points with bars, joined by a thin line that shows a run of one sign."""
    points = sorted(law.fit["points"], key=lambda point: point["x"])
    barred = [point for point in points if point["loss_low"] is not None and point["loss_high"] is not None]
    bars = Bars(
        x=tuple(point["x"] for point in barred),
        low=tuple(point["loss_low"] - point["predicted"] for point in barred),
        high=tuple(point["loss_high"] - point["predicted"] for point in barred),
        colour=law.colour,
        group=law.label,
    )
    through = Line(
        x=tuple(point["x"] for point in points),
        y=tuple(point["residual"] for point in points),
        colour=law.colour,
        name=law.label,
        label=law.label,
        width=0.8,
        marker=law.marker,
        hover=tuple(hover_text(law.label, f"{size_label(point['x'])} parameters", _residual_text(point["residual"])) for point in points),
        group=law.label,
    )
    return [bars, through] if barred else [through]


def position_residuals_chart(runs: pa.Table, fits: Mapping[str, Any]) -> Chart | None:
    """A panel for each family: every model's loss in bins of position minus that of its law; None where nothing was fitted.

    Args:
        runs: results/runs.parquet, the runs that charts show.
        fits: results/fits.json.
    """
    points = {
        fit["run_id"]: [point for point in fit["points"] if point["residual"] is not None]
        for fit in fits.get("loss_vs_position", ())
        if fit["converged"] and fit["run_id"] is not None
    }
    points = {run_id: own for run_id, own in points.items() if own}
    series = [line for line in chart_series(runs) if any(run["run_id"] in points for run in line.runs)]
    if not series:
        return None
    families = [list(own) for _, own in groupby(series, key=lambda line: line.family)]
    alone = len(families) == 1
    panels, rules = zip(*(_position_panel(own, points, alone=alone) for own in families), strict=True)
    said = dict.fromkeys(("measured minus fitted L_inf + A·t^-α, in log-spaced bins", *(rule for rule in rules if rule)))
    return Chart(name="position_residuals", title="Residuals of loss by position", subtitle="\n".join(said), panels=panels)


def _position_panel(series: Sequence[Series], points: Mapping[str, list[Row]], *, alone: bool) -> tuple[Panel, str | None]:
    room = ROOM_FOR_LABELS if alone else int(ROOM_FOR_LABELS * PANEL_HEIGHT)
    lines, rule = model_lines(series, measured=points.keys(), room=room)
    panel = Panel(
        x=Axis("Token index in context", log=True, low=1, high=max(point["position_to"] for own in points.values() for point in own)),
        y=Axis(AXIS_LABEL),
        marks=(ZERO, *(mark for line in lines for mark in _position_marks(line, points))),
        title="" if alone else series[0].family,
        height=1.0 if alone else PANEL_HEIGHT,
    )
    return panel, rule


def _position_marks(line: ModelLine, points: Mapping[str, list[Row]]) -> tuple[Mark, ...]:
    """One line for each seed."""
    return line.labelled(
        [
            line.through(
                middles(points[run["run_id"]]),
                [point["residual"] for point in points[run["run_id"]]],
                hover=tuple(
                    hover_text(line.label, position_text(point["position_from"], point["position_to"]), _residual_text(point["residual"]))
                    for point in points[run["run_id"]]
                ),
            )
            for run in line.runs
        ]
    )


def _residual_text(nats: float) -> str:
    return f"{nats:+.4f} nats"
