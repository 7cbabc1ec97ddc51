"""The figure's left chart: test loss against body parameters, one series for each family and depth."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from hf_ctxscale.charts.chart_data import Axis, Chart, Panel
from hf_ctxscale.charts.fitted_curves import drawn_law, fit_marks
from hf_ctxscale.charts.paper_overlay import PAPER_KEY, paper_size_marks
from hf_ctxscale.charts.series import Row, Series, chart_series
from hf_ctxscale.charts.shown import ALL, Shown
from hf_ctxscale.charts.size_marks import Measure, axis_around, drawn_runs, series_marks
from hf_ctxscale.charts.subtitle import num_failed, subtitle


def loss_vs_parameters_chart(runs: pa.Table, fits: Mapping[str, Any], *, paper: bool = False, shown: Shown = ALL) -> Chart:
    """Every scored run with its interval, a line through each series, and the fitted laws with their bands.

    Several seeds at one size are points of their own; the line goes through their mean.

    Args:
        runs: results/runs.parquet.
        fits: results/fits.json; empty where nothing was fitted.
        paper: whether the paper's values stand beside the study's, labelled as approximate; the axis reaches to them.
        shown: which of the runs are drawn, and how.

    Source: Kaplan et al. 2020, figure 7, left.
    """
    series = chart_series(runs)
    drawn = [run for line in series for run in drawn_runs(line, x="body_params", shown=shown)]
    laws = series_laws(series, fits, x="body_params", shown=shown)
    overlay = paper_size_marks() if paper else ()
    sizes = [run["body_params"] for run in drawn] + [x for mark in overlay for x in mark.x]
    own = [
        mark
        for line, law in zip(series, laws, strict=True)
        for mark in (*fit_marks(law, colour=line.colour, group=line.label, unit=shown.unit), *series_marks(line, shown=shown))
    ]
    return Chart(
        name="loss_vs_parameters",
        title="Test loss against model size",
        subtitle=subtitle(
            drawn, intervals="bars" if shown.intervals else None, num_failed=num_failed(runs), note=law_note(laws, shown=shown)
        ),
        panels=(
            Panel(
                x=axis_around(sizes, "Parameters (non-embedding)", counts=True),
                y=Axis(shown.unit.on_axis),
                marks=(*shown.marks(own), *overlay) if drawn else (),
                key=(PAPER_KEY,) if overlay else (),
            ),
        ),
    )


def series_laws(series: Sequence[Series], fits: Mapping[str, Any], *, x: Measure, shown: Shown) -> list[Row | None]:
    """The law of each series that has a run on the chart; None where it has none, or none in the chart's unit."""
    return [
        drawn_law(line.runs, fits, x=x) if shown.unit.per_nat is not None and drawn_runs(line, x=x, shown=shown) else None
        for line in series
    ]


def law_note(laws: Sequence[Row | None], *, shown: Shown) -> str | None:
    """What dashes are, where there are any."""
    curves = [law["curve"] for law in laws if law is not None]
    if not curves:
        return None
    banded = shown.intervals and any(point["low"] is not None for curve in curves for point in curve)
    return f"dashed: fitted power law{', with its 95 % band' if banded else ''}"
