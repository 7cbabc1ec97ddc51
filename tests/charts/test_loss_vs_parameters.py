"""The chart of loss against size."""

import json
from typing import Any

import pyarrow as pa
import pytest
from synthetic_study import write_synthetic_study

from hf_ctxscale.architectures import TABLE
from hf_ctxscale.charts.chart_data import Band, Bars, Chart, Line
from hf_ctxscale.charts.loss_vs_parameters import loss_vs_parameters_chart
from hf_ctxscale.charts.matplotlib_chart import draw_chart
from hf_ctxscale.columns import RUNS_SCHEMA
from hf_ctxscale.files import read_table
from hf_ctxscale.paper import FIGURE_7_LEFT
from hf_ctxscale.study import Study

Row = dict[str, Any]


@pytest.fixture(scope="module")
def runs(study: Study) -> pa.Table:
    return read_table(study.results_file("runs"))


@pytest.fixture(scope="module")
def fits(study: Study) -> dict[str, Any]:
    return json.loads(study.fits_file.read_text())


@pytest.fixture(scope="module")
def chart(runs: pa.Table, fits: dict[str, Any]) -> Chart:
    return loss_vs_parameters_chart(runs, fits)


def marks(chart: Chart, kind: type) -> list[Any]:
    return [mark for mark in chart.panels[0].marks if isinstance(mark, kind)]


def line(chart: Chart, label: str) -> Line:
    return next(mark for mark in marks(chart, Line) if mark.label == label)


def dashed(chart: Chart) -> list[Line]:
    return [mark for mark in marks(chart, Line) if mark.dash == "dashed"]


def bars(chart: Chart) -> list[tuple[float, float, float]]:
    return sorted(bar for mark in marks(chart, Bars) for bar in zip(mark.x, mark.low, mark.high, strict=True))


def table(rows: list[Row]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=RUNS_SCHEMA)


def test_the_axes_are_those_of_the_figure(chart: Chart) -> None:
    (panel,) = chart.panels
    assert (panel.x.log, panel.y.log) == (True, False)
    assert (panel.x.label, panel.y.label) == ("Parameters (non-embedding)", "Test loss (nats per token)")


def test_lines_go_through_the_losses_of_the_table(chart: Chart, runs: pa.Table) -> None:
    for architecture, depth, label in (("lstm", 1, "LSTM, 1 layer"), ("lstm", 4, "LSTM, 4 layers"), ("gpt2", 2, "Transformer, 2 layers")):
        own = sorted(
            (r["body_params"], r["loss_nats"]) for r in runs.to_pylist() if (r["architecture"], r["num_layers"]) == (architecture, depth)
        )
        sizes, losses = zip(*own, strict=True)
        assert line(chart, label).x == pytest.approx(sizes, rel=1e-12)
        assert line(chart, label).y == losses


def test_colours_come_from_the_table_darker_with_depth(chart: Chart) -> None:
    assert [line(chart, f"LSTM, {depth}").colour for depth in ("1 layer", "2 layers", "4 layers")] == list(TABLE["lstm"].colours)
    assert line(chart, "Transformer, 2 layers").colour == TABLE["gpt2"].colours[-1]


def test_every_point_has_its_interval(chart: Chart, runs: pa.Table) -> None:
    assert bars(chart) == sorted((r["body_params"], r["loss_nats_low"], r["loss_nats_high"]) for r in runs.to_pylist())


def test_a_point_without_an_interval_is_drawn_without_a_bar(runs: pa.Table) -> None:
    chart = loss_vs_parameters_chart(table([row | {"loss_nats_low": None, "loss_nats_high": None} for row in runs.to_pylist()]), {})
    assert bars(chart) == []
    assert len(line(chart, "LSTM, 1 layer").x) == 3


def test_who_points_at_a_model_reads_its_size_its_loss_and_its_interval(chart: Chart) -> None:
    (points,) = [mark for mark in marks(chart, Line) if mark.name == "LSTM, 1 layer"]
    assert points.hover[0] == "26K LSTM, 1 layer · 3.650 nats [3.580, 3.720] · seed 0"
    assert len(points.hover) == len(points.x)


def test_only_converged_fits_are_drawn_each_with_its_curve_and_band(runs: pa.Table, fits: dict[str, Any]) -> None:
    changed = json.loads(json.dumps(fits))
    for fit in changed["loss_vs_size"]:
        fit["converged"] = fit["series"] == "gpt2-2"
    chart = loss_vs_parameters_chart(runs, changed)
    (drawn,), (band,) = dashed(chart), marks(chart, Band)
    (law,) = [fit for fit in changed["loss_vs_size"] if fit["converged"] and fit["x"] == "body_params" and fit["curve"]]
    assert list(drawn.x) == list(band.x) == [point["x"] for point in law["curve"]]
    assert list(drawn.y) == [point["loss_nats"] for point in law["curve"]]
    assert list(zip(band.low, band.high, strict=True)) == [(point["low"], point["high"]) for point in law["curve"]]


def test_the_law_with_an_offset_is_drawn_where_the_data_pin_it_down_and_the_papers_otherwise(tmp_path: Any) -> None:
    study = write_synthetic_study(tmp_path, models={("gpt2", 2): ((3.63, 0.01), (3.37, 0.06), (2.88, 0.12))})
    runs, fits = read_table(study.results_file("runs")), json.loads(study.fits_file.read_text())
    body = [fit for fit in fits["loss_vs_size"] if fit["x"] == "body_params"]
    plain, offset = (next(fit for fit in body if ("e" in fit["params"]) == wanted) for wanted in (False, True))
    offset |= {"converged": True, "curve": [point | {"loss_nats": 1.0} for point in plain["curve"]]}
    offset["params"] = {name: {"value": None, "low": None, "high": None, "reason": "not identifiable"} for name in offset["params"]}
    assert dashed(loss_vs_parameters_chart(runs, fits))[0].y[0] != 1.0
    offset["params"] = {name: {"value": 0.3, "low": None, "high": None, "reason": None} for name in offset["params"]}
    (drawn,) = dashed(loss_vs_parameters_chart(runs, fits))
    assert set(drawn.y) == {1.0}


def test_a_law_through_two_points_is_not_drawn(runs: pa.Table, fits: dict[str, Any]) -> None:
    changed = json.loads(json.dumps(fits))
    for fit in changed["loss_vs_size"]:
        fit["points"] = fit["points"][:2]
    assert dashed(loss_vs_parameters_chart(runs, changed)) == []


def test_dashes_are_explained_where_there_are_any(chart: Chart, runs: pa.Table) -> None:
    assert "dashed: fitted power law, with its 95 % band" in chart.subtitle
    without = loss_vs_parameters_chart(runs, {})
    assert dashed(without) == []
    assert "dashed" not in without.subtitle


def test_one_size_alone_still_has_an_axis_with_ticks(runs: pa.Table) -> None:
    rows = [row for row in runs.to_pylist() if "26k" in row["run_id"]]
    (ax,) = draw_chart(loss_vs_parameters_chart(table(rows), {})).axes
    low, high = ax.get_xlim()
    assert sum(low <= tick <= high for tick in ax.get_xticks()) >= 2


def test_the_line_of_several_seeds_goes_through_their_mean_and_each_is_a_point(tmp_path: Any) -> None:
    study = write_synthetic_study(tmp_path, seeds=(0, 1, 2), models={("gpt2", 2): ((3.6, 0.0), (3.4, 0.0), (2.9, 0.1))})
    chart = loss_vs_parameters_chart(read_table(study.results_file("runs")), {})
    assert line(chart, "Transformer, 2 layers").y == pytest.approx([3.61, 3.41, 2.91])
    (points,) = [mark for mark in marks(chart, Line) if not mark.width]
    assert len(points.x) == 9


def test_the_papers_models_stand_beside_the_studys_labelled_as_approximate(runs: pa.Table) -> None:
    chart = loss_vs_parameters_chart(runs, {}, paper=True)
    theirs = [mark for mark in marks(chart, Line) if (mark.label or "").startswith("paper")]
    assert [mark.y for mark in theirs] == [tuple(loss for _, loss in points) for points in FIGURE_7_LEFT.values()]
    assert chart.panels[0].x.high > max(x for mark in theirs for x in mark.x)
    assert "(approximate)" in chart.panels[0].key[0].name
