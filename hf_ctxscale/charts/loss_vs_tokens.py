"""Validation loss over training, one line for each model: shows which models were still learning when their tokens ran out."""

from collections.abc import Mapping

import pyarrow as pa
from matplotlib.axes import Axes

from hf_ctxscale.charts.line_labels import LineEnd, label_line_ends, room_for_labels
from hf_ctxscale.charts.model_lines import IN_THE_BACKGROUND, STANDING_OUT, ModelLine, model_lines
from hf_ctxscale.charts.series import chart_series
from hf_ctxscale.charts.style import LABEL_POINTS, dress, log_x, new_axes, say_empty
from hf_ctxscale.charts.subtitle import num_failed, subtitle

Points = list[tuple[int, float]]  # training tokens, validation loss in nats


def draw_loss_vs_tokens(runs: pa.Table, histories: Mapping[str, pa.Table], *, ax: Axes | None = None) -> Axes:
    """Draws the validation loss of every scored run against the tokens that it had been trained on.

    Args:
        runs: results/runs.parquet.
        histories: maps run ids to their history.parquet.
        ax: axes with a right margin for the labels; None for a figure of its own.
    """
    ax = ax or new_axes()
    points = {run_id: _validation(history) for run_id, history in histories.items()}
    measured = {run_id for run_id, own in points.items() if own}
    lines, rule = model_lines(chart_series(runs), measured=measured, room=room_for_labels(ax, points=LABEL_POINTS))
    drawn = [run for line in lines for run in line.runs]
    dress(
        ax,
        title="Validation loss during training",
        subtitle=subtitle(drawn, intervals=None, num_failed=num_failed(runs), note=rule),
        x_label="Training tokens",
        y_label="Validation loss (nats per token)",
    )
    if not drawn:
        say_empty(ax)
        return ax
    tokens = [at for run in drawn for at, _ in points[run["run_id"]]]
    log_x(ax, min(tokens) / 1.05, max(tokens) * 1.05)
    ends = [_draw_line(ax, line, [points[run["run_id"]] for run in line.runs]) for line in lines]
    label_line_ends(ax, [end for end, line in zip(ends, lines, strict=True) if line.stands_out], points=LABEL_POINTS)
    return ax


def _validation(history: pa.Table) -> Points:
    """The points at which the validation loss was measured; tokens are above zero, since the axis is a log one."""
    rows = history.to_pylist()
    return sorted((row["tokens"], row["validation_loss_nats"]) for row in rows if row["tokens"] and row["validation_loss_nats"] is not None)


def _draw_line(ax: Axes, line: ModelLine, points_by_run: list[Points]) -> LineEnd:
    """One line per seed; returns where they end on average."""
    weight = STANDING_OUT if line.stands_out else IN_THE_BACKGROUND
    for points in points_by_run:
        ax.plot(*zip(*points, strict=True), color=line.colour, marker=line.marker, clip_on=False, **weight)
    last = [points[-1][1] for points in points_by_run]
    return LineEnd(points_by_run[0][-1][0], sum(last) / len(last), line.label, line.colour)
