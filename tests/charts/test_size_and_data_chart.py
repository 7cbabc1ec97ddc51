"""The chart of loss against training tokens by size."""

import copy
import json

import pytest

from hf_ctxscale.charts.chart_data import Band, Line
from hf_ctxscale.charts.data_residuals import data_residuals_chart
from hf_ctxscale.charts.size_and_data import MOST_LABELLED, loss_vs_data_chart


@pytest.fixture
def fits(study) -> dict:
    return json.loads(study.fits_file.read_text())


def test_every_size_has_its_points_curve_and_band(fits):
    marks = loss_vs_data_chart(fits).panels[0].marks
    fit = next(fit for fit in fits["loss_vs_size_and_data"] if fit["converged"])
    curves = [mark for mark in marks if isinstance(mark, Line) and mark.label]
    points = [mark for mark in marks if isinstance(mark, Line) and mark.name]
    assert [line.label for line in curves] == ["30K", "139K", "646K", "3M"]
    assert sum(len(line.x) for line in points) == len(fit["points"]) == 16
    assert sum(isinstance(mark, Band) for mark in marks) == 4


def test_residuals_have_a_line_for_every_size_and_are_measured_minus_fitted(fits):
    lines = [mark for mark in data_residuals_chart(fits).panels[0].marks if isinstance(mark, Line)]
    fit = next(fit for fit in fits["loss_vs_size_and_data"] if fit["converged"])
    assert [line.label for line in lines] == ["30K", "139K", "646K", "3M"]
    assert sorted(y for line in lines for y in line.y) == sorted(point["residual"] for point in fit["points"])
    assert data_residuals_chart({}) is None


def test_sizes_are_light_to_dark(fits):
    colours = [mark.colour for mark in loss_vs_data_chart(fits).panels[0].marks if isinstance(mark, Line) and mark.label]
    brightness = [sum(int(colour[place : place + 2], 16) for place in (1, 3, 5)) for colour in colours]
    assert brightness == sorted(brightness, reverse=True)


def test_series_without_a_grid_of_sizes_and_tokens_have_no_panel(fits):
    assert len(loss_vs_data_chart(fits).panels) == 1
    rest = [fit for fit in fits["loss_vs_size_and_data"] if fit["series"] != "gpt2-2"]
    assert rest
    assert loss_vs_data_chart(fits | {"loss_vs_size_and_data": rest}) is None
    assert loss_vs_data_chart({}) is None


def test_of_many_sizes_some_are_labelled_the_largest_among_them(fits):
    fit = copy.deepcopy(next(fit for fit in fits["loss_vs_size_and_data"] if fit["converged"]))
    fit["curves"] = [curve | {"n": 1e6 * (place + 1)} for place, curve in enumerate(fit["curves"] * 10)]
    marks = loss_vs_data_chart({"loss_vs_size_and_data": [fit]}).panels[0].marks
    labels = [mark.label for mark in marks if isinstance(mark, Line) and mark.label]
    assert len(labels) <= MOST_LABELLED
    assert labels[-1] == "40M"
    assert sum(isinstance(mark, Line) and mark.dash == "dashed" for mark in marks) == 40
