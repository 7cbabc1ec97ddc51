"""Two models by position: the losses of both, and under them their paired difference with its band."""

from collections.abc import Sequence
from math import isfinite

import pyarrow as pa

from hf_ctxscale.analysis.paired_differences import DifferenceCurve
from hf_ctxscale.charts.chart_data import Axis, Band, Chart, Line, Mark, Panel
from hf_ctxscale.charts.context_use import BAND_OPACITY, model_looks
from hf_ctxscale.charts.hover import hover_text, loss_text, position_text
from hf_ctxscale.charts.loss_vs_position import MARKER_EVERY, band_of, bins_by_score, middles
from hf_ctxscale.charts.paired_difference import ZERO
from hf_ctxscale.charts.series import Row
from hf_ctxscale.charts.style import GREY

DIFFERENCE_HEIGHT = 0.6  # of a panel
DIFFERENCE_COLOUR = "#404040"  # of neither model
Named = tuple[Row, str]  # a row of the table of runs, and what its model is called


def two_models_chart(first: Named, second: Named, positions: pa.Table, difference: DifferenceCurve | None) -> Chart:
    """The losses of two models in log-spaced bins of position, and the first minus the second where both can be subtracted.

    Args:
        first: the model that the second is subtracted from.
        second: the other one.
        positions: results/positions.parquet.
        difference: None where a position is not the same piece of text to both; then the chart holds the losses alone.
    """
    bins = bins_by_score(positions)
    models = [(row, name, bins.get(row["score_id"], [])) for row, name in (first, second)]
    looks = model_looks([row for row, _, _ in models])
    ends = [row["position_to"] for _, _, own in models for row in own]
    x = Axis("Token index in context", log=True, low=1, high=max(ends, default=None))
    banded = any(row["loss_low"] is not None for _, _, own in models for row in own)
    losses = Panel(
        x=x,
        y=Axis("Loss (nats per token)"),
        marks=tuple(mark for (_, name, own), look in zip(models, looks, strict=True) for mark in _marks(name, own, *look)),
        empty="these models have no losses by position",
    )
    below = () if difference is None else (_difference_panel(difference, x=x),)
    documents = {row["num_documents"] for row, _ in (first, second) if row["num_documents"] is not None}
    lines = [f"bands of losses: 95 % intervals over {max(documents)} documents"] if banded and documents else []
    if difference is not None and difference.band.reason is None:
        lines.append("band of the difference: 95 % for all positions at once, paired by document")
    under = "" if difference is None else ", and under it the first minus the second with a rule at zero"
    return Chart(
        name="two_models",
        title="Two models by position",
        subtitle="\n".join(lines),
        panels=(losses, *below),
        alternative_text=f"Line chart of the losses of {first[1]} and {second[1]} against token index in context, log x axis{under}.",
    )


def _marks(name: str, bins: Sequence[Row], colour: str, marker: str) -> list[Mark]:
    if not bins:
        return []
    band = band_of(bins, colour=colour, group=name, opacity=BAND_OPACITY)
    line = Line(
        x=middles(bins),
        y=tuple(row["loss_nats"] for row in bins),
        colour=colour,
        name=name,
        label=name,
        marker=marker,
        marker_size=4.0,
        marker_every=MARKER_EVERY,
        hover=tuple(
            hover_text(
                name,
                position_text(row["position_from"], row["position_to"]),
                loss_text(row["loss_nats"], row["loss_low"], row["loss_high"]),
            )
            for row in bins
        ),
        group=name,
    )
    return [*((band,) if band else ()), line]


def _difference_panel(difference: DifferenceCurve, *, x: Axis) -> Panel:
    """The first minus the second in every bin that has a token."""
    rows = [row for row in difference.entries("difference_nats") if isfinite(row["difference_nats"])]
    banded = [row for row in rows if isfinite(row["low"]) and isfinite(row["high"])]
    low, high = (tuple(row[key] for row in banded) for key in ("low", "high"))
    name = "first minus second"
    line = Line(
        x=middles(rows),
        y=tuple(row["difference_nats"] for row in rows),
        colour=DIFFERENCE_COLOUR,
        name=name,
        hover=tuple(
            hover_text(
                name,
                position_text(row["position_from"], row["position_to"]),
                loss_text(row["difference_nats"], *((row["low"], row["high"]) if row in banded else ())),
            )
            for row in rows
        ),
        group=name,
    )
    band = (Band(middles(banded), low, high, GREY, group=name),) if banded else ()
    return Panel(
        x=x,
        y=Axis("Difference (nats)"),
        marks=(ZERO, *band, line),
        title="first minus second; above 0: second is better",
        height=DIFFERENCE_HEIGHT,
    )
