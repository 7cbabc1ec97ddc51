"""Charts as interactive figures of plotly."""

import json
from dataclasses import replace

import pytest
from synthetic_study import write_synthetic_study

from hf_ctxscale.charts.chart_data import Axis, Band, Bars, Chart, Line, Panel, Rule, Words
from hf_ctxscale.charts.plotly_chart import MOST_LISTED, plotly_figure
from hf_ctxscale.charts.plotly_layout import CHARACTER, LEFT, NARROW, RIGHT
from hf_ctxscale.charts.study_charts import study_charts

LINE = Line((1.0, 10.0, 100.0), (5.0, 4.0, 3.5), "#8e0b20", name="26K LSTM", label="26K LSTM", marker="o", group="26K LSTM")
OTHER = Line((1.0, 10.0, 100.0), (4.9, 3.8, 3.49), "#08417c", name="25K Transformer", label="25K Transformer", group="25K Transformer")


def chart_of(*marks, x=None, y=None, **options) -> Chart:
    panel = Panel(x or Axis("Token index", log=True, low=1, high=100), y or Axis("Loss (nats)"), marks)
    return Chart("made_up", "A title", "a subtitle\nof two lines", (panel,), **options)


def drawn(chart: Chart) -> dict:
    return json.loads(plotly_figure(chart).to_json())


def test_every_chart_of_a_study_becomes_a_figure(tmp_path):
    study = write_synthetic_study(tmp_path, seeds=(0, 1), trials=2)
    for name, chart in study_charts(study, style="figure7", paper=True).items():
        figure = drawn(chart)
        assert figure["data"], name
        assert figure["layout"]["title"]["text"] == f"<b>{chart.title}</b>"
        assert len([key for key in figure["layout"] if key.startswith("xaxis")]) == len(chart.panels)


def test_lines_keep_their_colour_points_and_dashes():
    (trace,) = drawn(chart_of(replace(LINE, dash="dashed", width=1.5)))["data"]
    assert (trace["x"], trace["y"]) == ([1.0, 10.0, 100.0], [5.0, 4.0, 3.5])
    assert trace["line"] == {"color": "#8e0b20", "width": 2.0, "dash": "dash"}
    assert trace["mode"] == "lines+markers"
    assert trace["marker"]["symbol"] == "circle"


def test_open_markers_are_white_with_an_edge():
    (trace,) = drawn(chart_of(replace(LINE, filled=False, width=0)))["data"]
    assert trace["mode"] == "markers"
    assert (trace["marker"]["color"], trace["marker"]["line"]["color"]) == ("white", "#8e0b20")


def test_only_every_so_many_points_have_a_marker():
    (trace,) = drawn(chart_of(replace(LINE, marker_every=2)))["data"]
    assert [size > 0 for size in trace["marker"]["size"]] == [True, False, True]


def test_a_band_is_an_area_behind_its_line_and_goes_with_it():
    band, line = drawn(chart_of(LINE, Band((1.0, 100.0), (4.0, 3.0), (6.0, 4.0), "#8e0b20", group="26K LSTM")))["data"]
    assert band["fill"] == "toself"
    assert band["fillcolor"] == "rgba(142, 11, 32, 0.14)"
    assert band["y"] == [4.0, 3.0, 4.0, 6.0]
    assert band["legendgroup"] == line["legendgroup"]
    assert not band["showlegend"]


def test_bars_are_upright_or_lying():
    upright, lying = drawn(chart_of(Bars((3.0,), (4.0,), (5.0,), "#000000"), Bars((4.5,), (3.0,), (30.0,), "#000000", horizontal=True)))[
        "data"
    ]
    assert (upright["x"], upright["y"]) == ([3.0, 3.0, None], [4.0, 5.0, None])
    assert (lying["x"], lying["y"]) == ([3.0, 30.0, None], [4.5, 4.5, None])


def test_hover_text_has_the_name_the_axes_and_units():
    (trace,) = drawn(chart_of(LINE))["data"]
    assert trace["hovertemplate"] == "<b>26K LSTM</b><br>Token index: %{x:.4g}<br>Loss (nats): %{y:.3f}<extra></extra>"
    (trace,) = drawn(chart_of(replace(LINE, hover=("a", "b", "c"))))["data"]
    assert trace["text"] == ["a", "b", "c"]


def test_names_are_shown_and_not_obeyed_as_tags():
    name = "<a href='http://evil.example'>x</a>"
    figure = drawn(replace(chart_of(replace(LINE, name=name, label=name, group="")), title="<b>&"))
    shown = [figure["data"][0]["name"], figure["data"][0]["hovertemplate"], figure["layout"]["annotations"][0]["text"]]
    assert not any("<a" in text for text in shown)
    assert figure["layout"]["title"]["text"] == "<b>&lt;b&gt;&amp;</b>"


def test_log_axes_have_the_ticks_of_the_drawing():
    axis = drawn(chart_of(LINE, x=Axis("Parameters", log=True, counts=True, low=2e4, high=3e5)))["layout"]["xaxis"]
    assert axis["type"] == "log"
    assert axis["range"] == pytest.approx([4.30103, 5.47712], abs=1e-4)
    assert axis["ticktext"] == ["20K", "30K", "50K", "100K", "200K", "300K"]


def test_limits_that_are_not_given_hold_every_mark():
    low, high = drawn(chart_of(LINE, Band((1.0,), (2.0,), (7.0,), "#000000"), Rule(1.5)))["layout"]["yaxis"]["range"]
    assert low < 1.5
    assert high > 7.0


def test_categories_are_written_at_their_ticks():
    axis = drawn(chart_of(LINE, x=Axis("Family", categories=("LSTM", "Transformer"))))["layout"]["xaxis"]
    assert (axis["tickvals"], axis["ticktext"], axis["range"]) == ([0, 1], ["LSTM", "Transformer"], [-0.5, 1.5])


def test_labels_stand_at_line_ends_and_not_over_each_other():
    figure = drawn(chart_of(LINE, OTHER))
    labels = {note["text"]: note for note in figure["layout"]["annotations"]}
    heights = [figure["layout"]["height"] - note["ay"] for note in labels.values()]
    assert [note["x"] for note in labels.values()] == [2.0, 2.0]
    assert abs(heights[0] - heights[1]) > 15
    assert labels["26K LSTM"]["arrowcolor"] == "#8e0b20"


def test_a_label_alone_is_no_trace():
    figure = drawn(chart_of(LINE, Line((100.0,), (3.4,), "#8e0b20", label="mean of seeds", width=0)))
    assert len(figure["data"]) == 1
    assert "mean of seeds" in [note["text"] for note in figure["layout"]["annotations"]]


def test_on_a_phone_the_legend_names_the_lines_and_a_finger_scrolls_the_page():
    figure = drawn(chart_of(LINE, OTHER))
    narrow = figure["layout"]["meta"]["narrow"]
    assert narrow["annotations"] == []
    assert narrow["margin"]["r"] < figure["layout"]["margin"]["r"]
    assert narrow["dragmode"] is False
    assert [trace["showlegend"] for trace in figure["data"]] == [True, True]


def test_words_in_a_panel_end_before_its_edge_on_a_phone():
    long, short = Words("224K Transformer, 2 layers: 45 tokens [16, 63]", 3.0), Words("28 tokens", 2.0)
    narrow = drawn(chart_of(LINE, long, short))["layout"]["meta"]["narrow"]
    sizes = [own["font"]["size"] for own in narrow["annotations"]]
    assert sizes[0] == sizes[1]
    assert len(long.text) * CHARACTER * sizes[0] <= NARROW - LEFT - RIGHT + 1


def test_lines_of_one_name_are_one_entry_of_the_legend():
    figure = drawn(chart_of(LINE, replace(LINE, y=(5.1, 4.1, 3.6), label=None)))
    assert [trace["showlegend"] for trace in figure["data"]] == [True, False]


def test_a_legend_of_many_lists_what_is_labelled():
    many = [replace(LINE, name=f"model {n}", label=f"model {n}" if n == 0 else None) for n in range(MOST_LISTED + 1)]
    assert sum(trace["showlegend"] for trace in drawn(chart_of(*many))["data"]) == 1


def test_panels_beside_each_other_are_stacked_on_a_phone():
    panel = chart_of(LINE).panels[0]
    layout = drawn(Chart("two", "Two", "", (panel, panel), beside=True))["layout"]
    narrow = layout["meta"]["narrow"]
    assert layout["xaxis"]["domain"][1] < layout["xaxis2"]["domain"][0]
    assert narrow["xaxis"]["domain"] == narrow["xaxis2"]["domain"] == [0.0, 1.0]
    assert narrow["yaxis2"]["domain"][1] < narrow["yaxis"]["domain"][0]
    assert narrow["height"] > layout["height"]


def test_panels_above_each_other_share_an_equal_axis():
    panel = chart_of(LINE).panels[0]
    layout = drawn(Chart("two", "Two", "", (panel, replace(panel, y=Axis("Other")))))["layout"]
    assert layout["xaxis"]["showticklabels"] is False
    assert layout["xaxis2"]["title"]["text"] == "Token index"


def test_a_panel_without_marks_says_so():
    notes = drawn(chart_of())["layout"]["annotations"]
    assert [note["text"] for note in notes] == ["no finished run to draw"]


def test_rules_and_words_stand_where_their_values_are():
    layout = drawn(chart_of(LINE, Rule(4.0, text="best possible"), Rule(10.0, vertical=True), Words("some words", 4.5)))["layout"]
    lying, upright = layout["shapes"]
    assert (lying["y0"], lying["y1"], lying["x0"], lying["x1"]) == (4.0, 4.0, 1, 100)
    assert (upright["x0"], upright["x1"]) == (10.0, 10.0)
    assert {note["text"]: note["y"] for note in layout["annotations"] if note["text"] != "26K LSTM"} == {
        "best possible": 4.0,
        "some words": 4.5,
    }


def test_a_panels_own_legend_has_room_above_the_curves():
    chart = chart_of(LINE)
    keyed = replace(chart, panels=(replace(chart.panels[0], key=(Line((), (), "#595959", name="fitted law", dash="dashed"),)),))
    plain, with_key = drawn(chart), drawn(keyed)
    assert with_key["layout"]["yaxis"]["range"][1] > plain["layout"]["yaxis"]["range"][1]
    assert [trace["name"] for trace in with_key["data"] if trace.get("legend") == "legend2"] == ["fitted law"]


def test_the_same_chart_gives_the_same_bytes():
    assert plotly_figure(chart_of(LINE, OTHER)).to_json() == plotly_figure(chart_of(LINE, OTHER)).to_json()
