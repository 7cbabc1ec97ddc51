"""The study in the form of the paper's figure 7, and the paper's own values."""

import pytest
from synthetic_study import MODELS, write_synthetic_study

from hf_ctxscale.charts.chart_data import Line
from hf_ctxscale.charts.figure7 import NEUTRAL, QUESTIONS, figure7_chart
from hf_ctxscale.charts.matplotlib_chart import draw_chart
from hf_ctxscale.charts.paper_overlay import paper_position_marks, paper_size_marks
from hf_ctxscale.files import read_table
from hf_ctxscale.paper import FIGURE_7_LEFT, FIGURE_7_RIGHT
from hf_ctxscale.study import Study


def chart_of(study: Study, *, paper: bool = False):
    return figure7_chart(read_table(study.results_file("runs")), read_table(study.results_file("positions")), paper=paper)


def test_two_panels_stand_beside_each_other_in_the_papers_style(study):
    chart = chart_of(study)
    assert (chart.beside, chart.style) == (True, "figure7")
    assert [panel.x.label for panel in chart.panels] == ["Parameters (non-embedding)", "Token Index in Context"]
    assert all(panel.x.log and not panel.y.log for panel in chart.panels)
    draw_chart(chart)


def test_titles_ask_what_the_paper_states(study):
    titles = tuple(panel.title for panel in chart_of(study).panels)
    assert titles == QUESTIONS
    assert all(title.endswith("?") for title in titles)


def test_a_study_of_one_family_has_neutral_titles(tmp_path):
    study = write_synthetic_study(tmp_path, models={key: own for key, own in MODELS.items() if key[0] == "lstm"})
    assert tuple(panel.title for panel in chart_of(study).panels) == NEUTRAL


def test_the_right_panel_has_the_sizes_of_each_family_at_their_best_depth(study):
    panel = chart_of(study).panels[1]
    assert [entry.name for entry in panel.key] == [
        "26K LSTM",
        "77K LSTM",
        "225K LSTM",
        "26K Transformer",
        "76K Transformer",
        "221K Transformer",
    ]
    assert panel.key_title == "Parameters:"
    hovers = {line.name: line.hover[0] for line in panel.marks}
    assert hovers["26K LSTM"].startswith("26K LSTM, 1 layer ·")


def test_every_line_of_the_right_panel_is_in_its_legend(study):
    panel = chart_of(study).panels[1]
    assert {(line.name, line.colour) for line in panel.marks} == {(entry.name, entry.colour) for entry in panel.key}


def test_the_papers_values_extend_the_axis_and_are_called_approximate(study):
    without, with_paper = chart_of(study), chart_of(study, paper=True)
    assert without.panels[0].x.high < 1e6 < 1e9 < with_paper.panels[0].x.high
    assert with_paper.panels[1].x.high == 1000
    assert "approximate" in with_paper.subtitle
    assert "approximate" not in without.subtitle
    draw_chart(with_paper)


@pytest.mark.parametrize(("marks", "values"), [(paper_size_marks(), FIGURE_7_LEFT), (paper_position_marks(), FIGURE_7_RIGHT)])
def test_the_papers_marks_are_open_and_say_that_they_are_approximate(marks, values):
    assert [tuple(zip(mark.x, mark.y, strict=True)) for mark in marks] == list(values.values())
    for mark in marks:
        assert isinstance(mark, Line)
        assert not mark.filled
        assert mark.label.startswith("paper")
        assert "approximate" in mark.name
        assert all("approximate" in text for text in mark.hover)


def test_a_study_without_finished_runs_says_so(tmp_path):
    study = write_synthetic_study(tmp_path, models={("lstm", 1): ((3.6, 0.0),)}, failed=("lstm-1-26k-s0",))
    chart = chart_of(study, paper=True)
    assert [panel.marks for panel in chart.panels] == [(), ()]
    draw_chart(chart)
