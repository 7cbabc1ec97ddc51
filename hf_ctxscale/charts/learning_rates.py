"""Validation loss by learning rate: every rate that was tried for a model, whether the run was scored or not."""

from collections.abc import Iterable
from itertools import groupby

import pyarrow as pa

from hf_ctxscale.charts.chart_data import Axis, Chart, Line, Mark, Panel
from hf_ctxscale.charts.hover import hover_text, loss_text
from hf_ctxscale.charts.line_labels import ROOM_FOR_LABELS
from hf_ctxscale.charts.model_lines import ModelLine, model_lines
from hf_ctxscale.charts.series import Row, chart_series
from hf_ctxscale.charts.size_marks import axis_around
from hf_ctxscale.charts.subtitle import num_failed, subtitle

CHOSEN_SIZE = 6.5  # of the marker at the lowest loss, in points


def learning_rates_chart(runs: pa.Table) -> Chart | None:
    """A line for each model (family, depth, size, tokens, seed) over its rates, the lowest loss with a full marker; None where no model had two.

    Args:
        runs: results/runs.parquet with all trials; a run that never reached a validation loss has no point.
    """
    tried = _tried_more_than_once(runs.to_pylist())
    if not tried:
        return None
    # What was tried is placed by its validation loss: trials that lost were often not scored.
    by_validation = pa.Table.from_pylist([run | {"loss_nats": run["validation_loss_nats"]} for run in tried], schema=runs.schema)
    lines, rule = model_lines(chart_series(by_validation), measured={run["run_id"] for run in tried}, room=ROOM_FOR_LABELS)
    note = "full markers: the lowest of each model"
    return Chart(
        name="learning_rates",
        title="Learning rates that were tried",
        subtitle=subtitle(tried, intervals=None, num_failed=num_failed(runs), note=f"{note}\n{rule}" if rule else note),
        panels=(
            Panel(
                x=axis_around([run["learning_rate"] for run in tried], "Learning rate", counts=False),
                y=Axis("Validation loss (nats per token)"),
                marks=tuple(mark for line in lines for mark in _marks(line)),
            ),
        ),
    )


def _tried_more_than_once(rows: Iterable[Row]) -> list[Row]:
    """One row for each run with a rate and a validation loss, of the models that have two rates or more."""
    known = {
        row["run_id"]: row
        for row in rows
        if row["run_id"] and row["learning_rate"] and row["validation_loss_nats"] is not None and row["body_params"] and row["architecture"]
    }
    return [run for cell in _cells(known.values()) if len({run["learning_rate"] for run in cell}) > 1 for run in cell]


def _cells(runs: Iterable[Row]) -> list[list[Row]]:
    """Runs of one model, by rate."""

    def cell(run: Row) -> tuple[str, int, int, int, int]:
        return (run["architecture"], run["num_layers"] or 0, run["body_params"], run["train_tokens"] or 0, run["seed"] or 0)

    in_order = sorted(runs, key=lambda run: (*cell(run), run["learning_rate"]))
    return [list(own) for _, own in groupby(in_order, key=cell)]


def _marks(line: ModelLine) -> list[Mark]:
    """One line over the rates for each budget and seed, and a marker at its lowest loss."""
    cells = _cells(line.runs)
    over_rates = [
        line.through(
            [run["learning_rate"] for run in cell],
            [run["validation_loss_nats"] for run in cell],
            marker=line.marker,
            filled=False,
            hover=tuple(_hover(line, run) for run in cell),
        )
        for cell in cells
    ]
    lowest = [min(cell, key=lambda run: run["validation_loss_nats"]) for cell in cells]
    best = Line(
        x=tuple(run["learning_rate"] for run in lowest),
        y=tuple(run["validation_loss_nats"] for run in lowest),
        colour=line.colour,
        width=0,
        marker=line.marker,
        marker_size=CHOSEN_SIZE,
        hover=tuple(f"{_hover(line, run)} · lowest" for run in lowest),
        group=line.label,
    )
    return [*line.labelled(over_rates), best]


def _hover(line: ModelLine, run: Row) -> str:
    return hover_text(line.label, f"learning rate {run['learning_rate']:g}", loss_text(run["validation_loss_nats"]), f"seed {run['seed']}")
