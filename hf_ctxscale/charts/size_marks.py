"""series_marks: a series of trained models against any measure of their size or cost: points with intervals, and the line through them."""

import math
from collections.abc import Sequence
from typing import Literal

from hf_ctxscale.charts.chart_data import Axis, Bars, Line, Mark
from hf_ctxscale.charts.hover import hover_text, loss_text
from hf_ctxscale.charts.series import SAME_SIZE, Row, Series
from hf_ctxscale.charts.shown import ALL, LossUnit, Shown
from hf_ctxscale.charts.ticks import tick_text
from hf_ctxscale.study import size_label

Measure = Literal["body_params", "total_params", "train_flops", "train_seconds"]

MARGIN = 0.07  # room left and right of the smallest and largest model, as a share of the axis between them
UNITS = {"total_params": " parameters in all", "train_flops": " FLOPs", "train_seconds": " s"}  # body parameters are part of a model's name


def series_marks(series: Series, *, x: Measure = "body_params", shown: Shown = ALL) -> tuple[Mark, ...]:
    """The line through a series, its points and their intervals, of the runs that are shown and whose ``x`` and loss are known.

    Several seeds at one size are points of their own; the line goes through their mean loss at their geometric mean of ``x``.
    """
    unit = shown.unit
    runs = drawn_runs(series, x=x, shown=shown)
    if not runs:
        return ()
    low, high = (f"{unit.of_run}_{end}" for end in ("low", "high"))
    barred = [run for run in runs if run[low] is not None and run[high] is not None]
    bars = Bars(
        x=tuple(run[x] for run in barred),
        low=tuple(run[low] for run in barred),
        high=tuple(run[high] for run in barred),
        colour=series.colour,
        group=series.label,
    )
    rungs = [rung for rung in ([run for run in runs if run["body_params"] == size] for size in series.sizes) if rung]
    through = Line(
        x=tuple(math.exp(sum(math.log(run[x]) for run in rung) / len(rung)) for rung in rungs),
        y=tuple(sum(run[unit.of_run] for run in rung) / len(rung) for rung in rungs),
        colour=series.colour,
        label=series.label,
        width=1.8,
        group=series.label,
    )
    points = Line(
        x=tuple(run[x] for run in runs),
        y=tuple(run[unit.of_run] for run in runs),
        colour=series.colour,
        name=series.label,
        width=0,
        marker=series.marker,
        marker_size=6.5,
        hover=tuple(_hover(series, run, x, unit) for run in runs),
        group=series.label,
    )
    return (*((bars,) if barred and shown.intervals else ()), through, points)


def drawn_runs(series: Series, *, x: Measure, shown: Shown) -> list[Row]:
    """The runs of a series that a chart draws."""
    return [run for run in series.runs if shown.holds(run["run_id"]) and run[x] is not None and run[shown.unit.of_run] is not None]


def axis_around(values: Sequence[float], label: str, *, counts: bool) -> Axis:
    """A log axis from the smallest to the largest value, with a little room; with more where there is one value alone."""
    if not values:
        return Axis(label, log=True, counts=counts)
    span = max(values) / min(values)
    margin = 2.0 if span < SAME_SIZE else span**MARGIN
    return Axis(label, log=True, counts=counts, low=min(values) / margin, high=max(values) * margin)


def _hover(series: Series, run: Row, x: Measure, unit: LossUnit) -> str:
    return hover_text(
        f"{size_label(run['body_params'])} {series.label}",
        f"{tick_text(run[x], counts=x == 'total_params')}{UNITS[x]}" if x in UNITS else None,
        loss_text(run[unit.of_run], *unit.interval_of_run(run), unit=unit.name),
        None if run["seed"] is None else f"seed {run['seed']}",
    )
