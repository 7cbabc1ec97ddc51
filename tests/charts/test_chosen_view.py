"""chosen_charts: what a view leaves out, in which unit, on which axes, and what it cannot show, which is said."""

from dataclasses import replace

import pyarrow as pa
import pytest

from hf_ctxscale.charts.chart_data import Band, Bars, Line
from hf_ctxscale.charts.chosen_view import View, chosen_charts, view_choices
from hf_ctxscale.charts.study_charts import read_fits
from hf_ctxscale.files import read_table

FACTOR = 0.55  # bits per byte of a nat per token, made up


@pytest.fixture(scope="module")
def tables(study):
    runs = read_table(study.results_file("runs")).to_pylist()
    for run in runs:
        for end in ("", "_low", "_high"):
            run[f"bits_per_byte{end}"] = None if run[f"loss_nats{end}"] is None else run[f"loss_nats{end}"] * FACTOR
    positions = read_table(study.results_file("positions"))
    bits = [
        {
            "score_id": row["score_id"],
            "position_from": row["position_from"],
            "position_to": row["position_to"],
            "bits_per_byte": row["loss_nats"] * FACTOR,
            "bits_per_byte_low": row["loss_low"] * FACTOR,
            "bits_per_byte_high": row["loss_high"] * FACTOR,
        }
        for row in positions.to_pylist()
    ]
    schema = read_table(study.results_file("runs")).schema
    return {
        "runs": pa.Table.from_pylist(runs, schema=schema),
        "positions": positions,
        "bits": lambda: pa.Table.from_pylist(bits),
        "fits": read_fits(study),
    }


def points(chart):
    """(x, y) of every measured point, by line."""
    return {line.name: list(zip(line.x, line.y, strict=True)) for line in lines(chart) if line.name and line.x}


def lines(chart):
    return [mark for panel in chart.panels for mark in panel.marks if isinstance(mark, Line)]


def dashed(chart):
    return [line for line in lines(chart) if line.dash == "dashed"]


def intervals(chart):
    return [mark for panel in chart.panels for mark in panel.marks if isinstance(mark, (Band, Bars))]


def test_first_sight_is_the_study_as_its_report_draws_it(tables):
    charts = chosen_charts(View(), **tables)
    assert charts.size.name == "loss_vs_parameters"
    assert charts.position.name == "loss_vs_position"
    assert intervals(charts.size)
    assert dashed(charts.size)
    assert (charts.size_notes, charts.position_notes) == ((), ())


def test_choices_are_those_of_the_runs(tables):
    choices = view_choices(tables["runs"].to_pylist())
    assert choices.families == ("lstm", "gpt2")
    assert choices.depths == (1, 2, 4)
    assert choices.sizes == ("26K", "77K", "225K")
    assert choices.seeds == (0,)


@pytest.mark.parametrize(
    ("view", "series", "num_points"),
    [
        (View(families=("gpt2",)), {"Transformer, 2 layers"}, 3),
        (View(depths=(2,)), {"LSTM, 2 layers", "Transformer, 2 layers"}, 6),
        (View(sizes=("26K", "225K"), families=("lstm",), depths=(1,)), {"LSTM, 1 layer"}, 2),
        (View(seeds=()), set(), 0),
    ],
)
def test_view_shows_the_chosen_runs_alone(tables, view, series, num_points):
    charts = chosen_charts(view, **tables)
    drawn = points(charts.size)
    assert set(drawn) == series
    assert sum(map(len, drawn.values())) == num_points
    assert len(points(charts.position)) == num_points


def test_models_keep_their_colours_and_markers_when_others_are_left_out(tables):
    def looks(chart):
        return {line.name: (line.colour, line.marker) for line in lines(chart) if line.name}

    full, some = (chosen_charts(view, **tables) for view in (View(), View(depths=(1,), sizes=("26K",))))
    for all_lines, left in ((looks(full.size), looks(some.size)), (looks(full.position), looks(some.position))):
        assert left
        assert left.items() <= all_lines.items()


@pytest.mark.parametrize(
    ("x", "column"), [("total_params", "total_params"), ("train_flops", "train_flops"), ("train_seconds", "train_seconds")]
)
def test_loss_can_be_set_against_every_cost(tables, x, column):
    drawn = points(chosen_charts(View(x=x), **tables).size)
    assert sorted(place for own in drawn.values() for place, _ in own) == sorted(tables["runs"][column].to_pylist())


def test_bits_per_byte_replace_nats_in_points_intervals_laws_axes_and_hover(tables):
    nats, bits = (chosen_charts(View(unit=unit), **tables) for unit in ("nats", "bits_per_byte"))
    for name, own in points(bits.size).items():
        assert [y for _, y in own] == pytest.approx([y * FACTOR for _, y in points(nats.size)[name]])
    for law, of_nats in zip(dashed(bits.size), dashed(nats.size), strict=True):
        assert law.y == pytest.approx([y * FACTOR for y in of_nats.y])
    for band, of_nats in zip(intervals(bits.size), intervals(nats.size), strict=True):
        assert band.low == pytest.approx([low * FACTOR for low in of_nats.low])
        assert band.high == pytest.approx([high * FACTOR for high in of_nats.high])
    for name, own in points(bits.position).items():
        assert [y for _, y in own] == pytest.approx([y * FACTOR for _, y in points(nats.position)[name]])
    for chart in (bits.size, bits.position):
        assert chart.panels[0].y.label == "Test loss (bits per byte)"
        hovers = [text for line in lines(chart) for text in line.hover]
        assert hovers
        assert all("bits per byte" in text and "nats" not in text for text in hovers)


def test_laws_by_position_are_left_out_in_bits_per_byte_and_it_is_said(tables):
    charts = chosen_charts(View(unit="bits_per_byte"), **tables)
    assert not dashed(charts.position)
    assert "tokens differ in bytes from position to position" in charts.position_notes[0]
    assert chosen_charts(View(unit="bits_per_byte", fits=False), **tables).position_notes == ()


def test_laws_are_left_out_where_no_one_factor_gives_bits_per_byte_and_it_is_said(tables):
    rows = tables["runs"].to_pylist()
    rows[0]["bits_per_byte"] *= 1.01
    charts = chosen_charts(View(unit="bits_per_byte"), **tables | {"runs": pa.Table.from_pylist(rows, schema=tables["runs"].schema)})
    assert not dashed(charts.size)
    assert "no one factor" in charts.size_notes[0]
    assert "dashed" not in charts.size.subtitle


def test_run_whose_bytes_are_not_known_is_not_drawn_in_bits_per_byte(tables):
    rows = tables["runs"].to_pylist()
    for end in ("", "_low", "_high"):
        rows[0][f"bits_per_byte{end}"] = None
    runs = pa.Table.from_pylist(rows, schema=tables["runs"].schema)
    drawn = points(chosen_charts(View(unit="bits_per_byte"), **tables | {"runs": runs}).size)
    assert sum(map(len, drawn.values())) == len(rows) - 1


def test_bits_are_not_computed_for_a_view_in_nats(tables):
    def not_called():
        raise AssertionError("bits were asked for")

    chosen_charts(View(), **tables | {"bits": not_called})


def test_without_intervals_no_band_nor_bar_is_drawn_and_none_is_spoken_of(tables):
    charts = chosen_charts(View(bands=False), **tables)
    for chart in (charts.size, charts.position):
        assert not intervals(chart)
        assert "interval" not in chart.subtitle
        assert "band" not in chart.subtitle


def test_without_fits_no_law_is_drawn_and_none_is_spoken_of(tables):
    charts = chosen_charts(View(fits=False), **tables)
    for chart in (charts.size, charts.position):
        assert not dashed(chart)
        assert "fitted" not in chart.subtitle


def test_axes_are_logarithmic_where_the_view_says_so(tables):
    view = View(size_x_log=False, size_y_log=True, position_x_log=False, position_y_log=True)
    for chart in (lambda charts: charts.size, lambda charts: charts.position):
        plain, turned = (chart(chosen_charts(one, **tables)).panels[0] for one in (View(), view))
        assert (plain.x.log, plain.y.log) == (True, False)
        assert (turned.x.log, turned.y.log) == (False, True)
        assert turned.marks == plain.marks


def test_papers_values_stand_beside_the_study_where_they_can(tables):
    charts = chosen_charts(View(paper=True), **tables)
    for chart in (charts.size, charts.position):
        assert any("paper" in line.name for line in lines(chart))
    assert (charts.size_notes, charts.position_notes) == ((), ())


@pytest.mark.parametrize(
    ("view", "note"),
    [(View(x="train_flops"), "over parameters without embeddings only"), (View(unit="bits_per_byte"), "of its own tokenizer")],
)
def test_papers_values_that_cannot_be_shown_are_left_out_and_it_is_said(tables, view, note):
    charts = chosen_charts(replace(view, paper=True), **tables)
    assert not any("paper" in line.name for line in lines(charts.size))
    assert note in charts.size_notes[-1]


def test_law_of_runs_that_are_not_all_chosen_is_said_to_rest_on_all(tables):
    assert chosen_charts(View(sizes=("26K",)), **tables).size_notes == (
        "A fitted law rests on all runs of its family and depth, chosen here or not.",
    )


def test_cost_that_nothing_is_known_of_gives_an_empty_chart_that_says_so(tables):
    rows = [row | {"train_seconds": None} for row in tables["runs"].to_pylist()]
    runs = pa.Table.from_pylist(rows, schema=tables["runs"].schema)
    chart = chosen_charts(View(x="train_seconds"), **tables | {"runs": runs}).size
    assert chart.panels[0].marks == ()
    assert chart.panels[0].empty == "no run to draw"
