"""Charts of numbers from elsewhere."""

import pytest
from made_up_fits import made_up_table_fits

from hf_ctxscale.charts.chart_data import Band, Bars, Line
from hf_ctxscale.charts.matplotlib_chart import draw_chart
from hf_ctxscale.charts.table_charts import table_charts

NAMES = {
    "size": ["loss_vs_parameters", "size_residuals"],
    "size_and_data": ["loss_vs_data", "data_residuals"],
    "position": ["loss_vs_position", "position_residuals"],
}


@pytest.mark.parametrize("kind", NAMES)
def test_each_kind_of_table_has_its_charts_and_they_can_be_drawn(kind):
    charts = table_charts(made_up_table_fits(kind))
    assert list(charts) == NAMES[kind]
    for name, chart in charts.items():
        assert chart.name == name
        draw_chart(chart)


def test_every_series_has_its_points_and_its_law():
    marks = table_charts(made_up_table_fits("size"))["loss_vs_parameters"].panels[0].marks
    assert [mark.label for mark in marks if isinstance(mark, Line) and mark.label] == ["ours", "theirs"]
    assert sum(isinstance(mark, Line) and mark.dash == "dashed" for mark in marks) == 2


def test_bars_and_bands_are_there_only_where_there_are_intervals():
    fits = made_up_table_fits("position")
    marks = table_charts(fits)["loss_vs_position"].panels[0].marks
    assert not any(isinstance(mark, Bars | Band) for mark in marks)
    for point in fits["loss_vs_position"][0]["points"]:
        point |= {"loss_low": point["loss_nats"] - 0.1, "loss_high": point["loss_nats"] + 0.1}
    marks = table_charts(fits)["loss_vs_position"].panels[0].marks
    assert sum(isinstance(mark, Bars) for mark in marks) == 1


def test_points_without_a_law_are_drawn_and_the_chart_says_so():
    fits = made_up_table_fits("size")
    for fit in fits["loss_vs_size"]:
        fit |= {"converged": False, "curve": [], "profiles": []}
    charts = table_charts(fits)
    assert list(charts) == ["loss_vs_parameters"]
    assert charts["loss_vs_parameters"].subtitle == "no law was fitted"
    assert sum(isinstance(mark, Line) for mark in charts["loss_vs_parameters"].panels[0].marks) == 2


def test_numbers_from_elsewhere_are_not_called_test_losses_of_complete_runs():
    chart = table_charts(made_up_table_fits("size_and_data"))["loss_vs_data"]
    assert (chart.title, chart.panels[0].y.label) == ("Loss against training tokens", "Loss (nats per token)")
    assert "schedule" not in chart.subtitle


def test_residuals_of_positions_are_measured_minus_fitted():
    fits = made_up_table_fits("position")
    (line,) = (mark for mark in table_charts(fits)["position_residuals"].panels[0].marks if isinstance(mark, Line))
    assert line.y == tuple(point["residual"] for point in fits["loss_vs_position"][0]["points"])


def test_a_table_without_any_fit_has_no_charts():
    assert table_charts({"loss_vs_size": [], "loss_vs_size_and_data": [], "loss_vs_position": []}) == {}


def test_ten_series_from_elsewhere_all_look_different():
    fits = made_up_table_fits("size")
    one = fits["loss_vs_size"][:2]
    fits["loss_vs_size"] = [fit | {"series": f"series {n}", "label": f"series {n}"} for n in range(10) for fit in one]
    marks = table_charts(fits)["loss_vs_parameters"].panels[0].marks
    assert len({(mark.colour, mark.marker) for mark in marks if isinstance(mark, Line) and mark.name}) == 10
