"""The figure's left chart: test loss against body parameters, one series for each family and depth."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from hf_ctxscale.charts.chart_data import Axis, Chart, Panel
from hf_ctxscale.charts.fitted_curves import drawn_law, fit_marks
from hf_ctxscale.charts.paper_overlay import PAPER_KEY, paper_size_marks
from hf_ctxscale.charts.series import Row, chart_series
from hf_ctxscale.charts.size_marks import axis_around, series_marks
from hf_ctxscale.charts.subtitle import num_failed, subtitle


def loss_vs_parameters_chart(runs: pa.Table, fits: Mapping[str, Any], *, paper: bool = False) -> Chart:
    """Every scored run with its interval, a line through each series, and the fitted laws with their bands.

    Several seeds at one size are points of their own; the line goes through their mean.

    Args:
        runs: results/runs.parquet.
        fits: results/fits.json; empty where nothing was fitted.
        paper: whether the paper's values stand beside the study's, labelled as approximate; the axis reaches to them.

    Source: Kaplan et al. 2020, figure 7, left.
    """
    series = chart_series(runs)
    drawn = [run for line in series for run in line.runs]
    laws = [drawn_law(line.runs, fits, x="body_params") for line in series]
    overlay = paper_size_marks() if paper else ()
    sizes = [run["body_params"] for run in drawn] + [x for mark in overlay for x in mark.x]
    own = [
        mark
        for line, law in zip(series, laws, strict=True)
        for mark in (*fit_marks(law, colour=line.colour, group=line.label), *series_marks(line))
    ]
    return Chart(
        name="loss_vs_parameters",
        title="Test loss against model size",
        subtitle=subtitle(drawn, intervals="bars", num_failed=num_failed(runs), note=law_note(laws)),
        panels=(
            Panel(
                x=axis_around(sizes, "Parameters (non-embedding)", counts=True),
                y=Axis("Test loss (nats per token)"),
                marks=(*own, *overlay) if drawn else (),
                key=(PAPER_KEY,) if overlay else (),
            ),
        ),
    )


def law_note(laws: Sequence[Row | None]) -> str | None:
    """What dashes are, where there are any."""
    curves = [law["curve"] for law in laws if law is not None]
    if not curves:
        return None
    banded = any(point["low"] is not None for curve in curves for point in curve)
    return f"dashed: fitted power law{', with its 95 % band' if banded else ''}"
