"""The figure's left chart: test loss against body parameters, one series for each family and depth."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from matplotlib.axes import Axes

from hf_ctxscale.charts.line_labels import LineEnd, label_line_ends
from hf_ctxscale.charts.series import SAME_SIZE, Series, chart_series
from hf_ctxscale.charts.style import LABEL_POINTS, dress, log_x, new_axes, say_empty
from hf_ctxscale.charts.subtitle import num_failed, subtitle

MARGIN = 0.07  # room left and right of the smallest and largest model, as a share of the axis between them
FIT_DASHES = (0, (5, 2.5))


def draw_loss_vs_parameters(runs: pa.Table, fits: Mapping[str, Any], *, ax: Axes | None = None) -> Axes:
    """Draws every scored run with its interval, a line through each series, and the fitted power laws that converged.

    Several seeds at one size are points of their own; the line goes through their mean.

    Args:
        runs: results/runs.parquet.
        fits: results/fits.json; empty where nothing was fitted.
        ax: axes with a right margin for the labels; None for a figure of its own.

    Source: Kaplan et al. 2020, figure 7, left.
    """
    ax = ax or new_axes()
    series = chart_series(runs)
    drawn = [run for line in series for run in line.runs]
    predicted = [_predicted(line, fits) for line in series]
    dress(
        ax,
        title="Test loss against model size",
        subtitle=subtitle(
            drawn, intervals="bars", num_failed=num_failed(runs), note="dashed: fitted power law" if any(predicted) else None
        ),
        x_label="Parameters (non-embedding)",
        y_label="Test loss (nats per token)",
    )
    if not drawn:
        say_empty(ax)
        return ax
    _size_axis(ax, [run["body_params"] for run in drawn])
    for line, laws in zip(series, predicted, strict=True):
        for points in laws:
            ax.plot(*zip(*points, strict=True), color=line.colour, linewidth=1.0, linestyle=FIT_DASHES)
    label_line_ends(ax, [_draw_series(ax, line) for line in series], points=LABEL_POINTS)
    return ax


def _size_axis(ax: Axes, sizes: Sequence[int]) -> None:
    """From the smallest to the largest model, with a little room; with more where there is one size alone."""
    span = max(sizes) / min(sizes)
    margin = 2.0 if span < SAME_SIZE else span**MARGIN
    log_x(ax, min(sizes) / margin, max(sizes) * margin)


def _draw_series(ax: Axes, series: Series) -> LineEnd:
    """Points, intervals and the line through them; returns where the line ends."""
    for run in series.runs:
        if run["loss_nats_low"] is not None and run["loss_nats_high"] is not None:
            ax.vlines(run["body_params"], run["loss_nats_low"], run["loss_nats_high"], color=series.colour, linewidth=1.4, alpha=0.8)
    points = ([run["body_params"] for run in series.runs], [run["loss_nats"] for run in series.runs])
    ax.plot(*points, linestyle="none", marker=series.marker, markersize=6.5, color=series.colour, markeredgecolor="white", zorder=3)
    means = [sum(run["loss_nats"] for run in series.at(size)) / len(series.at(size)) for size in series.sizes]
    ax.plot(series.sizes, means, color=series.colour, linewidth=1.8, label=series.label)
    return LineEnd(series.sizes[-1], means[-1], series.label, series.colour)


def _predicted(series: Series, fits: Mapping[str, Any]) -> list[list[tuple[float, float]]]:
    """What the converged fits of a series predict at its points; a law through two points is the line between them, and is left out."""
    run_ids = {run["run_id"] for run in series.runs}
    lines = []
    for fit in fits.get("loss_vs_parameters", ()):
        own = [point for point in fit["points"] or () if point["run_id"] in run_ids and point["predicted"] is not None]
        points = sorted({(point["x"], point["predicted"]) for point in own})
        if fit["converged"] and fit["x"] == "body_params" and len(points) > 2:
            lines.append(points)
    return lines
