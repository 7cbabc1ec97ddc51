"""table_charts: the charts of numbers from elsewhere: a table of (N, loss), of (N, D, loss) or of (position, loss)."""

from collections.abc import Mapping, Sequence
from typing import Any

from hf_ctxscale.charts.chart_data import Axis, Bars, Chart, Line, Mark, Panel
from hf_ctxscale.charts.data_residuals import data_residuals_chart
from hf_ctxscale.charts.fit_residuals import AXIS_LABEL, ZERO, size_residuals_chart
from hf_ctxscale.charts.fitted_curves import fit_marks
from hf_ctxscale.charts.fitted_series import FittedSeries, fitted_series, form_text, look_of_no_family
from hf_ctxscale.charts.hover import hover_text, loss_text, position_text
from hf_ctxscale.charts.loss_vs_position import middles
from hf_ctxscale.charts.profiles import profiles_chart
from hf_ctxscale.charts.series import Row
from hf_ctxscale.charts.size_and_data import loss_vs_data_chart
from hf_ctxscale.charts.size_marks import axis_around
from hf_ctxscale.study import size_label


def table_charts(fits: Mapping[str, Any]) -> dict[str, Chart]:
    """Every chart that a table's fits allow, by name, in the order of a report.

    Args:
        fits: results/fits.json of a table.
    """
    charts = (
        _loss_vs_parameters(fits),
        _loss_vs_position(fits),
        loss_vs_data_chart(fits),
        size_residuals_chart(fits),
        data_residuals_chart(fits),
        _position_residuals(fits),
        profiles_chart(fits),
    )
    return {chart.name: chart for chart in charts if chart is not None}


def _loss_vs_parameters(fits: Mapping[str, Any]) -> Chart | None:
    """Points and law of every series."""
    series = fitted_series(fits.get("loss_vs_size", ()))
    sizes = [point["x"] for one in series for point in one.fit["points"]]
    if not sizes:
        return None
    marks = [mark for one in series for mark in (*_law(one.fit, colour=one.colour, group=one.label), *_size_marks(one))]
    panel = Panel(axis_around(sizes, "Parameters", counts=True), Axis("Loss (nats per token)"), tuple(marks))
    return Chart("loss_vs_parameters", "Loss against model size", _laws_text([one.fit for one in series]), (panel,))


def _law(fit: Row, *, colour: str, group: str) -> tuple[Mark, ...]:
    """The law's curve, where it was fitted."""
    return fit_marks(fit if fit["converged"] and fit["curve"] else None, colour=colour, group=group)


def _size_marks(series: FittedSeries) -> list[Mark]:
    points = sorted(series.fit["points"], key=lambda point: point["x"])
    hover = tuple(hover_text(series.label, f"{size_label(point['x'])} parameters", _loss(point)) for point in points)
    look: dict[str, Any] = {"name": series.label, "label": series.label, "marker": series.marker, "hover": hover, "group": series.label}
    line = Line(tuple(point["x"] for point in points), tuple(point["loss_nats"] for point in points), series.colour, width=0, **look)
    return [*_bars(points, [point["x"] for point in points], series.colour, series.label), line]


def _loss_vs_position(fits: Mapping[str, Any]) -> Chart | None:
    """Points and law of every series over its positions."""
    laws = [fit for fit in fits.get("loss_vs_position", ()) if fit["points"]]
    if not laws:
        return None
    marks = []
    for place, law in enumerate(laws):
        colour, marker = look_of_no_family(place)
        marks += [*_law(law, colour=colour, group=law["label"] or ""), *_position_marks(law, colour, marker)]
    x = Axis("Token index in context", log=True, low=1, high=max(point["position_to"] for law in laws for point in law["points"]))
    return Chart(
        "loss_vs_position", "Loss by position in the context", _laws_text(laws), (Panel(x, Axis("Per-token loss (nats)"), tuple(marks)),)
    )


def _position_residuals(fits: Mapping[str, Any]) -> Chart | None:
    """What the loss of every bin is above or below its series' law."""
    laws = [(place, fit) for place, fit in enumerate(fits.get("loss_vs_position", ())) if fit["converged"] and fit["points"]]
    if not laws:
        return None
    lines = []
    for place, law in laws:
        (colour, marker), name, points = look_of_no_family(place), law["label"] or "", law["points"]
        hover = tuple(
            hover_text(name, position_text(point["position_from"], point["position_to"]), f"{point['residual']:+.4f} nats")
            for point in points
        )
        look: dict[str, Any] = {"name": name, "label": law["label"], "marker": marker, "marker_size": 4.0, "hover": hover, "group": name}
        lines.append(Line(middles(points), tuple(point["residual"] for point in points), colour, width=0.8, **look))
    x = Axis("Token index in context", log=True, low=1, high=max(point["position_to"] for _, law in laws for point in law["points"]))
    subtitle = f"measured minus fitted {form_text(laws[0][1])}, in log-spaced bins"
    return Chart("position_residuals", "Residuals of loss by position", subtitle, (Panel(x, Axis(AXIS_LABEL), (ZERO, *lines)),))


def _position_marks(law: Row, colour: str, marker: str) -> list[Mark]:
    name, points, at = law["label"] or "", law["points"], middles(law["points"])
    hover = tuple(hover_text(name, position_text(point["position_from"], point["position_to"]), _loss(point)) for point in points)
    look: dict[str, Any] = {"name": name, "label": law["label"], "marker": marker, "marker_size": 4.0, "hover": hover, "group": name}
    return [*_bars(points, at, colour, name), Line(at, tuple(point["loss_nats"] for point in points), colour, width=0, **look)]


def _bars(points: Sequence[Row], at: Sequence[float], colour: str, group: str) -> list[Bars]:
    """The intervals of those points that have one."""
    barred = [(x, point["loss_low"], point["loss_high"]) for x, point in zip(at, points, strict=True) if point["loss_low"] is not None]
    if not barred:
        return []
    x, low, high = zip(*barred, strict=True)
    return [Bars(x, low, high, colour, group=group)]


def _laws_text(laws: Sequence[Row]) -> str:
    """What dashes are, and whether there are intervals."""
    fitted = [law for law in laws if law["converged"] and law["curve"]]
    if not fitted:
        return "no law was fitted"
    banded = any(point["low"] is not None for law in fitted for point in law["curve"])
    return f"dashed: fitted {' or '.join(dict.fromkeys(map(form_text, fitted)))}{', with its 95 % band' if banded else ''}"


def _loss(point: Row) -> str:
    return loss_text(point["loss_nats"], point["loss_low"], point["loss_high"])
