"""Validation loss over training, one line for each model: shows which models were still learning when their tokens ran out."""

from collections.abc import Mapping

import pyarrow as pa

from hf_ctxscale.charts.chart_data import Axis, Chart, Mark, Panel
from hf_ctxscale.charts.hover import hover_text, loss_text
from hf_ctxscale.charts.line_labels import ROOM_FOR_LABELS
from hf_ctxscale.charts.model_lines import ModelLine, model_lines
from hf_ctxscale.charts.series import chart_series
from hf_ctxscale.charts.subtitle import num_failed, subtitle
from hf_ctxscale.study import size_label

Points = list[tuple[int, float]]  # training tokens, validation loss in nats
ROOM = 1.05  # left and right of the first and last point, as a factor


def loss_vs_tokens_chart(runs: pa.Table, histories: Mapping[str, pa.Table]) -> Chart:
    """The validation loss of every scored run against the tokens that it had been trained on.

    Args:
        runs: results/runs.parquet.
        histories: maps run ids to their history.parquet.
    """
    points = {run_id: _validation(history) for run_id, history in histories.items()}
    measured = {run_id for run_id, own in points.items() if own}
    lines, rule = model_lines(chart_series(runs), measured=measured, room=ROOM_FOR_LABELS)
    drawn = [run for line in lines for run in line.runs]
    tokens = [at for run in drawn for at, _ in points[run["run_id"]]]
    low, high = (min(tokens) / ROOM, max(tokens) * ROOM) if tokens else (None, None)
    return Chart(
        name="loss_vs_tokens",
        title="Validation loss during training",
        subtitle=subtitle(drawn, intervals=None, num_failed=num_failed(runs), note=rule),
        panels=(
            Panel(
                x=Axis("Training tokens", log=True, counts=True, low=low, high=high),
                y=Axis("Validation loss (nats per token)"),
                marks=tuple(mark for line in lines for mark in _marks(line, [points[run["run_id"]] for run in line.runs])),
            ),
        ),
    )


def _validation(history: pa.Table) -> Points:
    """The points at which the validation loss was measured; tokens are above zero, since the axis is a log one."""
    rows = history.to_pylist()
    return sorted((row["tokens"], row["validation_loss_nats"]) for row in rows if row["tokens"] and row["validation_loss_nats"] is not None)


def _marks(line: ModelLine, points_by_run: list[Points]) -> tuple[Mark, ...]:
    """One line per seed."""
    return line.labelled(
        [
            line.through(
                [at for at, _ in points],
                [loss for _, loss in points],
                hover=tuple(hover_text(line.label, f"{size_label(at)} tokens", loss_text(loss)) for at, loss in points),
            )
            for points in points_by_run
        ]
    )
