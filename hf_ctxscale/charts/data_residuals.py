"""Residuals of the law of size and data: what each measured loss is above or below it, against training tokens."""

from collections.abc import Mapping
from typing import Any

from hf_ctxscale.charts.chart_data import Axis, Chart, Line, Panel
from hf_ctxscale.charts.fit_residuals import AXIS_LABEL, ZERO
from hf_ctxscale.charts.fitted_series import FittedSeries, data_laws, form_text
from hf_ctxscale.charts.hover import hover_text
from hf_ctxscale.charts.size_and_data import PANEL_HEIGHT, SizeLook, size_looks
from hf_ctxscale.charts.size_marks import axis_around
from hf_ctxscale.study import size_label


def data_residuals_chart(fits: Mapping[str, Any]) -> Chart | None:
    """A panel for each series that has a grid of sizes and tokens, a line for each size; None where none has.

    Args:
        fits: results/fits.json.
    """
    laws = data_laws(fits)
    if not laws:
        return None
    x = axis_around([point["d"] for law in laws for point in law.fit["points"]], "Training tokens", counts=True)
    return Chart(
        name="data_residuals",
        title="Residuals of loss against training tokens",
        subtitle=f"measured minus fitted {' or '.join(dict.fromkeys(form_text(law.fit) for law in laws))}",
        panels=tuple(
            Panel(
                x=x,
                y=Axis(AXIS_LABEL),
                marks=(ZERO, *(_line(law, look) for look in size_looks(law))),
                title=law.label if len(laws) > 1 else "",
                height=PANEL_HEIGHT if len(laws) > 1 else 1.0,
            )
            for law in laws
        ),
    )


def _line(law: FittedSeries, look: SizeLook) -> Line:
    """Points joined by a thin line that shows a run of one sign."""
    points = look.points
    return Line(
        x=tuple(point["d"] for point in points),
        y=tuple(point["residual"] for point in points),
        colour=look.colour,
        name=look.name,
        label=size_label(look.curve["n"]) if look.stands_out else None,
        width=0.8,
        marker=law.marker,
        hover=tuple(hover_text(look.name, f"{size_label(point['d'])} tokens", f"{point['residual']:+.4f} nats") for point in points),
        group=look.name,
    )
