"""Loss against all parameters, training FLOPs and training time."""

import json

import pyarrow as pa
import pytest

from hf_ctxscale.charts.chart_data import Band, Bars, Line
from hf_ctxscale.charts.loss_vs_compute import loss_vs_flops_chart, loss_vs_seconds_chart, loss_vs_total_parameters_chart
from hf_ctxscale.columns import RUNS_SCHEMA
from hf_ctxscale.files import read_table

BUILDERS = {
    "total_params": loss_vs_total_parameters_chart,
    "train_flops": loss_vs_flops_chart,
    "train_seconds": loss_vs_seconds_chart,
}


@pytest.fixture
def runs(study) -> pa.Table:
    return read_table(study.results_file("runs"))


@pytest.fixture
def fits(study) -> dict:
    return json.loads(study.fits_file.read_text())


def changed(runs: pa.Table, change) -> pa.Table:
    return pa.Table.from_pylist([row | change(row) for row in runs.to_pylist()], schema=RUNS_SCHEMA)


def points(chart) -> list[Line]:
    return [mark for mark in chart.panels[0].marks if isinstance(mark, Line) and mark.name]


@pytest.mark.parametrize("x", BUILDERS)
def test_every_run_is_a_point_at_its_own_cost(runs, x):
    chart = BUILDERS[x](runs, {})
    found = sorted((at, loss) for line in points(chart) for at, loss in zip(line.x, line.y, strict=True))
    assert found == sorted((row[x], row["loss_nats"]) for row in runs.to_pylist())


def test_fits_against_the_same_measure_are_drawn_with_their_bands(runs, fits):
    without, with_fits = (loss_vs_flops_chart(runs, own).panels[0].marks for own in ({}, fits))
    assert not any(isinstance(mark, Band) for mark in without)
    bands = [mark for mark in with_fits if isinstance(mark, Band)]
    assert len(bands) == 4
    flops = [row["train_flops"] for row in runs.to_pylist()]
    assert min(band.x[0] for band in bands) == pytest.approx(min(flops))


def test_axes_say_their_units(runs):
    labels = [BUILDERS[x](runs, {}).panels[0].x.label for x in BUILDERS]
    assert labels == ["Parameters (with embeddings)", "Training compute (FLOPs)", "Training time (seconds)"]


def test_runs_whose_time_is_not_known_are_left_out(runs):
    known = changed(runs, lambda row: {"train_seconds": 100.0 if row["architecture"] == "gpt2" else None})
    assert [line.name for line in points(loss_vs_seconds_chart(known, {}))] == ["Transformer, 2 layers"]


def test_a_study_without_times_has_no_chart_of_time(runs):
    assert loss_vs_seconds_chart(changed(runs, lambda row: {"train_seconds": None}), {}) is None


def test_the_line_goes_through_the_mean_of_seeds_at_their_geometric_mean_time(runs):
    one = next(row for row in runs.to_pylist() if row["run_id"] == "gpt2-2-26k-s0")
    seeds = [
        one | {"train_seconds": 100.0, "loss_nats": 3.6},
        one | {"run_id": "other", "seed": 1, "train_seconds": 400.0, "loss_nats": 3.8},
    ]
    chart = loss_vs_seconds_chart(pa.Table.from_pylist(seeds, schema=RUNS_SCHEMA), {})
    (through,) = [mark for mark in chart.panels[0].marks if isinstance(mark, Line) and mark.label]
    assert through.x == pytest.approx((200.0,))
    assert through.y == pytest.approx((3.7,))


def test_intervals_stand_at_their_points(runs):
    bars = [mark for mark in loss_vs_flops_chart(runs, {}).panels[0].marks if isinstance(mark, Bars)]
    assert sorted(x for bar in bars for x in bar.x) == sorted(row["train_flops"] for row in runs.to_pylist())
