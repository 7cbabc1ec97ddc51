"""Test loss against what a model costs: all its parameters, its training FLOPs, its measured training time."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from hf_ctxscale.charts.chart_data import Axis, Chart, Panel
from hf_ctxscale.charts.fitted_curves import fit_marks
from hf_ctxscale.charts.loss_vs_parameters import law_note, series_laws
from hf_ctxscale.charts.series import chart_series
from hf_ctxscale.charts.shown import ALL, Shown
from hf_ctxscale.charts.size_marks import Measure, axis_around, drawn_runs, series_marks
from hf_ctxscale.charts.subtitle import num_failed, subtitle


def loss_vs_total_parameters_chart(runs: pa.Table, fits: Mapping[str, Any], *, shown: Shown = ALL) -> Chart | None:
    """Loss against all parameters, embeddings and output head included: with small bodies they are most of a model."""
    return _chart(
        runs,
        fits,
        x="total_params",
        name="loss_vs_total_parameters",
        title="Test loss against all parameters",
        label="Parameters (with embeddings)",
        shown=shown,
    )


def loss_vs_flops_chart(runs: pa.Table, fits: Mapping[str, Any], *, shown: Shown = ALL) -> Chart | None:
    """Loss against training FLOPs, forward and backward, with attention and output head."""
    return _chart(
        runs,
        fits,
        x="train_flops",
        name="loss_vs_flops",
        title="Test loss against training compute",
        label="Training compute (FLOPs)",
        shown=shown,
    )


def loss_vs_seconds_chart(runs: pa.Table, fits: Mapping[str, Any], *, shown: Shown = ALL) -> Chart | None:
    """Loss against measured training time; only times of one machine can be compared."""
    return _chart(
        runs,
        fits,
        x="train_seconds",
        name="loss_vs_seconds",
        title="Test loss against training time",
        label="Training time (seconds)",
        shown=shown,
    )


def _chart(runs: pa.Table, fits: Mapping[str, Any], *, x: Measure, name: str, title: str, label: str, shown: Shown) -> Chart | None:
    """The chart; None where no model's ``x`` is known."""
    series = chart_series(runs)
    drawn = [run for line in series for run in drawn_runs(line, x=x, shown=shown)]
    if not drawn:
        return None
    laws = series_laws(series, fits, x=x, shown=shown)
    marks = [
        mark
        for line, law in zip(series, laws, strict=True)
        for mark in (*fit_marks(law, colour=line.colour, group=line.label, unit=shown.unit), *series_marks(line, x=x, shown=shown))
    ]
    return Chart(
        name=name,
        title=title,
        subtitle=subtitle(
            drawn, intervals="bars" if shown.intervals else None, num_failed=num_failed(runs), note=law_note(laws, shown=shown)
        ),
        panels=(
            Panel(axis_around([run[x] for run in drawn], label, counts=x == "total_params"), Axis(shown.unit.on_axis), shown.marks(marks)),
        ),
    )
