"""The figure's right chart: loss against the token's index in its context, one line for each model."""

import math
from collections import defaultdict
from collections.abc import Mapping

import pyarrow as pa
from matplotlib.axes import Axes

from hf_ctxscale.charts.line_labels import LineEnd, label_line_ends, room_for_labels
from hf_ctxscale.charts.model_lines import IN_THE_BACKGROUND, STANDING_OUT, ModelLine, model_lines, reference_lines
from hf_ctxscale.charts.series import Row, chart_series
from hf_ctxscale.charts.style import LABEL_POINTS, dress, log_x, new_axes, say_empty
from hf_ctxscale.charts.subtitle import num_failed, subtitle


def draw_loss_vs_position(
    runs: pa.Table, positions: pa.Table, *, references: Mapping[str, str] | None = None, ax: Axes | None = None
) -> Axes:
    """Draws every model's loss in log-spaced bins of context position, each at its bin's geometric middle, with intervals as bands.

    Every model has a line. Where not all labels fit, some models stand out with label and band and the chart says by which rule.
    Single positions are left out: a position has as many tokens as there are windows, and its noise would hide the lines.

    Args:
        runs: results/runs.parquet.
        positions: results/positions.parquet.
        references: score id -> label of scored models that the study did not train, measured as its runs are; they are dashed and dark grey.
        ax: axes with a right margin for the labels; None for a figure of its own.

    Source: Kaplan et al. 2020, figure 7, right.
    """
    ax = ax or new_axes()
    bins: dict[str, list[Row]] = defaultdict(list)
    for row in sorted(positions.to_pylist(), key=lambda row: row["position_from"]):
        if row["loss_nats"] is not None:
            bins[row["score_id"]].append(row)
    rows = [row for row in runs.to_pylist() if row["score_id"] in bins]
    dashed = reference_lines(rows, references or {})
    trained, rule = model_lines(
        chart_series(runs),
        measured={row["run_id"] for row in rows},
        room=room_for_labels(ax, points=LABEL_POINTS) - len(dashed),
    )
    lines = (*trained, *dashed)
    drawn = [run for line in lines for run in line.runs]
    dress(
        ax,
        title="Loss by position in the context",
        subtitle=subtitle(drawn, intervals="bands", num_failed=num_failed(runs), note=rule),
        x_label="Token index in context",
        y_label="Per-token test loss (nats)",
    )
    if not drawn:
        say_empty(ax)
        return ax
    log_x(ax, 1, max(row["position_to"] for run in drawn for row in bins[run["score_id"]]))
    ends = [_draw_line(ax, line, [bins[run["score_id"]] for run in line.runs]) for line in lines]
    label_line_ends(ax, [end for end, line in zip(ends, lines, strict=True) if line.stands_out], points=LABEL_POINTS)
    return ax


def _draw_line(ax: Axes, line: ModelLine, bins_by_run: list[list[Row]]) -> LineEnd:
    """One line per seed; returns where they end on average."""
    for bins in bins_by_run:
        x = [math.sqrt(row["position_from"] * row["position_to"]) for row in bins]
        weight = STANDING_OUT if line.stands_out else IN_THE_BACKGROUND
        style = {"color": line.colour, "marker": line.marker, "markevery": 3, "linestyle": line.dashes, "clip_on": False, **weight}
        ax.plot(x, [row["loss_nats"] for row in bins], **style)
        banded = [(at, row["loss_low"], row["loss_high"]) for at, row in zip(x, bins, strict=True) if row["loss_low"] is not None]
        if banded and line.stands_out:
            at, low, high = zip(*banded, strict=True)
            ax.fill_between(at, low, high, color=line.colour, alpha=0.12, linewidth=0)
    last = [bins[-1]["loss_nats"] for bins in bins_by_run]
    return LineEnd(x[-1], sum(last) / len(last), line.label, line.colour)
