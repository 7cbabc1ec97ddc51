"""The chart of loss above the best possible one."""

import pytest
from made_up_fits import write_made_up_fits
from synthetic_study import write_synthetic_study

from hf_ctxscale.charts.chart_data import Band, Line, Rule
from hf_ctxscale.charts.excess_over_best import excess_over_best_chart
from hf_ctxscale.files import read_table


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    study = write_synthetic_study(tmp_path_factory.mktemp("best"))
    return read_table(study.results_file("runs")), write_made_up_fits(study, best_possible=True)


def test_lines_and_bands_are_the_excess_that_the_fits_hold(measured):
    runs, fits = measured
    marks = excess_over_best_chart(runs, fits).panels[0].marks
    line = next(mark for mark in marks if isinstance(mark, Line) and mark.name == "221K Transformer")
    bins = next(entry["bins"] for entry in fits["excess_over_best"] if entry["run_id"] == "gpt2-2-222k-s0")
    assert line.y == tuple(row["excess_nats"] for row in bins)
    band = next(mark for mark in marks if isinstance(mark, Band) and mark.group == line.name)
    assert (band.low, band.high) == tuple(tuple(row[end] for row in bins) for end in ("low", "high"))


def test_zero_is_the_best_possible_and_every_run_is_a_line(measured):
    marks = excess_over_best_chart(*measured).panels[0].marks
    assert [(mark.at, mark.text) for mark in marks if isinstance(mark, Rule)] == [(0.0, "")]
    assert sum(isinstance(mark, Line) for mark in marks) == 12


def test_where_the_best_is_not_known_there_is_no_chart(measured):
    runs, fits = measured
    assert excess_over_best_chart(runs, fits | {"excess_over_best": []}) is None
    assert excess_over_best_chart(runs, {}) is None


def test_bins_without_limits_have_no_band(measured):
    runs, fits = measured
    bare = [entry | {"bins": [row | {"low": None, "high": None} for row in entry["bins"]]} for entry in fits["excess_over_best"]]
    chart = excess_over_best_chart(runs, fits | {"excess_over_best": bare})
    assert not any(isinstance(mark, Band) for mark in chart.panels[0].marks)
    assert "bands" not in chart.subtitle
