"""The charts of residuals, and which law of a series is shown."""

import copy
import json

import pytest
from made_up_fits import made_up_table_fits

from hf_ctxscale.charts.chart_data import Bars, Line
from hf_ctxscale.charts.fit_residuals import position_residuals_chart, size_residuals_chart
from hf_ctxscale.charts.fitted_series import data_laws, form_text, size_laws
from hf_ctxscale.charts.series import chart_series
from hf_ctxscale.files import read_table


@pytest.fixture
def fits(study) -> dict:
    return copy.deepcopy(json.loads(study.fits_file.read_text()))


@pytest.fixture
def runs(study):
    return read_table(study.results_file("runs"))


def lines(chart) -> list[Line]:
    return [mark for panel in chart.panels for mark in panel.marks if isinstance(mark, Line)]


def test_size_residuals_are_measured_minus_fitted(fits):
    own = {
        tuple(point["loss_nats"] - point["predicted"] for point in fit["points"])
        for fit in fits["loss_vs_size"]
        if fit["x"] == "body_params" and fit["converged"]
    }
    drawn = [line.y for line in lines(size_residuals_chart(fits))]
    assert len(drawn) == 4
    assert all(any(y == pytest.approx(residuals) for residuals in own) for y in drawn)


def test_bars_are_the_losses_intervals_about_the_law(fits):
    bars = next(mark for mark in size_residuals_chart(fits).panels[0].marks if isinstance(mark, Bars))
    fit = next(fit for fit in fits["loss_vs_size"] if fit["series"] == "lstm-1" and fit["x"] == "body_params" and fit["converged"])
    assert bars.low == pytest.approx(tuple(point["loss_low"] - point["predicted"] for point in fit["points"]))


def test_every_family_has_a_panel_on_one_shared_axis(fits, runs):
    for chart in (size_residuals_chart(fits), position_residuals_chart(runs, fits)):
        assert [panel.title for panel in chart.panels] == ["LSTM", "Transformer"]
        assert chart.panels[0].x == chart.panels[1].x


def test_series_have_the_colours_and_markers_of_the_charts_of_runs(fits, runs):
    looks = {line.label: (line.colour, line.marker) for line in chart_series(runs)}
    assert {law.label: (law.colour, law.marker) for law in size_laws(fits)} == looks


def test_a_law_through_two_points_has_no_residuals(fits):
    for fit in fits["loss_vs_size"]:
        fit["points"] = fit["points"][:2]
    assert size_residuals_chart(fits) is None


def test_the_law_with_an_offset_is_shown_where_the_data_pin_it_down():
    fits = made_up_table_fits("size")
    assert {form_text(law.fit) for law in size_laws(fits)} == {"E + A·N^-α"}
    for fit in fits["loss_vs_size"]:
        if "e" in fit["params"]:
            fit["params"]["e"]["value"] = None
    assert {form_text(law.fit) for law in size_laws(fits)} == {"(N_c/N)^α"}


def test_size_and_data_show_hoffmanns_form_where_it_is_pinned_down():
    fits = made_up_table_fits("size_and_data")
    assert [law.fit["form"] for law in data_laws(fits)] == ["E + A*N^-alpha + B*D^-beta"]
    fits["loss_vs_size_and_data"][0]["params"]["beta"]["value"] = None
    assert [form_text(law.fit) for law in data_laws(fits)] == ["[(N_c/N)^(α_N/α_D) + D_c/D]^α_D"]


def test_position_residuals_have_a_line_for_every_model(fits, runs):
    chart = position_residuals_chart(runs, fits)
    assert len(lines(chart)) == 12
    fit = next(fit for fit in fits["loss_vs_position"] if fit["run_id"] == "gpt2-2-222k-s0")
    line = next(line for line in lines(chart) if line.name == "221K Transformer")
    assert line.y == tuple(point["residual"] for point in fit["points"])


def test_without_fits_there_are_no_residuals(runs):
    assert size_residuals_chart({}) is None
    assert position_residuals_chart(runs, {}) is None


def test_intervals_are_promised_only_where_there_are_some(fits):
    assert "bars" in size_residuals_chart(fits).subtitle
    assert "bars" not in size_residuals_chart(made_up_table_fits("size")).subtitle
