"""chart_rows: every measured point with its own interval, fitted curves left out; the CSV is safe to open in a spreadsheet."""

import csv
import io

from hf_ctxscale.app.chart_table import ChartTable, chart_rows, table_csv
from hf_ctxscale.app.explore import explore
from hf_ctxscale.charts.chart_data import Axis, Band, Bars, Chart, Line, Panel
from hf_ctxscale.charts.chosen_view import View


def chart_of(*marks, **panel):
    return Chart("a", "A", "", (Panel(Axis("size"), Axis("loss"), marks, **panel),))


def test_every_measured_run_is_a_row_with_the_interval_of_the_table_of_runs(shipped):
    drawn = explore(shipped, View())
    table = chart_rows(drawn.size)
    assert table.headers == ("series", "Parameters (non-embedding)", "Test loss (nats per token)", "low", "high")
    expected = sorted(
        (run["body_params"], run["loss_nats"], run["loss_nats_low"], run["loss_nats_high"]) for run in shipped.sources.measured
    )
    assert sorted(row[1:] for row in table.rows) == expected


def test_every_bin_of_every_run_is_a_row_with_its_interval(shipped):
    table = chart_rows(explore(shipped, View()).position)
    drawn = {run["score_id"] for run in shipped.sources.measured}
    bins = [row for row in shipped.positions.to_pylist() if row["score_id"] in drawn]
    assert sorted(row[2:] for row in table.rows) == sorted((row["loss_nats"], row["loss_low"], row["loss_high"]) for row in bins)


def test_point_takes_the_interval_that_it_is_in_the_middle_of_among_those_at_its_place():
    line = Line((1.0, 1.0), (2.0, 2.1), "red", name="a", group="a")
    bars = Bars((1.0, 1.0), (1.6, 1.5), (2.6, 2.5), "red", group="a")
    other = Band((1.0,), (1.9,), (2.2,), "red", group="b")
    assert chart_rows(chart_of(bars, other, line)).rows == (("a", 1.0, 2.0, 1.5, 2.5), ("a", 1.0, 2.1, 1.6, 2.6))


def test_curves_without_a_name_are_no_measurements():
    assert chart_rows(chart_of(Line((1.0,), (2.0,), "red"))).rows == ()


def test_point_without_an_interval_has_empty_ends():
    assert chart_rows(chart_of(Line((1.0,), (2.0,), "red", name="a"))).rows == (("a", 1.0, 2.0, None, None),)


def test_panels_that_measure_different_things_are_told_apart():
    line = Line((0.0,), (2.0,), "red", name="a")
    first, second = (Panel(Axis("model", categories=("one",)), Axis(label), (line,)) for label in ("loss", "gain"))
    table = chart_rows(Chart("a", "A", "", (first, second)))
    assert table.headers == ("of", "series", "model", "value", "low", "high")
    assert table.rows == (("loss", "a", "one", 2.0, None, None), ("gain", "a", "one", 2.0, None, None))


def test_cell_that_a_spreadsheet_would_run_is_written_as_text():
    written = table_csv(ChartTable(("series", "x"), (("=HYPERLINK(1)", 0.123456789), ("@a", None), ("a,b", -1.0))))
    assert list(csv.reader(io.StringIO(written))) == [["series", "x"], ["'=HYPERLINK(1)", "0.123457"], ["'@a", ""], ["a,b", "-1"]]
