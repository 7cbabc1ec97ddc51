"""Loss above the best possible one by position, on sources whose own probabilities are known."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from hf_ctxscale.charts.chart_data import Axis, Band, Chart, Mark, Panel, Rule
from hf_ctxscale.charts.hover import hover_text, position_text
from hf_ctxscale.charts.line_labels import ROOM_FOR_LABELS
from hf_ctxscale.charts.loss_vs_position import middles
from hf_ctxscale.charts.model_lines import ModelLine, model_lines
from hf_ctxscale.charts.series import Row, chart_series
from hf_ctxscale.charts.subtitle import num_failed, subtitle


def excess_over_best_chart(runs: pa.Table, fits: Mapping[str, Any]) -> Chart | None:
    """Every model's loss minus the best possible one on the same tokens, in bins of position; None where that is not known.

    Args:
        runs: results/runs.parquet.
        fits: results/fits.json.
    """
    bins = {entry["run_id"]: entry["bins"] for entry in fits.get("excess_over_best", ())}
    drawn = [run for line in chart_series(runs) for run in line.runs if run["run_id"] in bins]
    if not drawn:
        return None
    lines, rule = model_lines(chart_series(runs), measured=bins.keys(), room=ROOM_FOR_LABELS)
    known = any(row["low"] is not None for run in drawn for row in bins[run["run_id"]])
    bands = "bands: simultaneous 95 % over all positions, by document" if known else None
    return Chart(
        name="excess_over_best",
        title="Loss above the best possible",
        subtitle=subtitle(drawn, intervals=None, num_failed=num_failed(runs), note="\n".join(filter(None, (bands, rule))) or None),
        panels=(
            Panel(
                x=Axis(
                    "Token index in context", log=True, low=1, high=max(row["position_to"] for run in drawn for row in bins[run["run_id"]])
                ),
                y=Axis("Loss minus best possible (nats)"),
                marks=(Rule(0.0), *(mark for line in lines for mark in _marks(line, bins))),
            ),
        ),
    )


def _marks(line: ModelLine, bins: Mapping[str, Sequence[Row]]) -> tuple[Mark, ...]:
    """One line for each seed, and its band where the line is one of those that stand out."""
    lines, bands = [], []
    for run in line.runs:
        own = [row for row in bins[run["run_id"]] if row["excess_nats"] is not None]
        hover = tuple(
            hover_text(line.label, position_text(row["position_from"], row["position_to"]), f"{row['excess_nats']:.3f} nats above the best")
            for row in own
        )
        lines.append(line.through(middles(own), [row["excess_nats"] for row in own], marker_every=3, hover=hover))
        banded = [row for row in own if row["low"] is not None and row["high"] is not None]
        if banded and line.stands_out:
            low, high = (tuple(row[end] for row in banded) for end in ("low", "high"))
            bands.append(Band(middles(banded), low, high, line.colour, group=line.label))
    return (*bands, *line.labelled(lines))
