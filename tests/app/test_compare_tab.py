"""The tab Compare: two models of a study, what refuses them, and what a visitor's choices become."""

import json
import math
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from trained_study import write_trained_study

from hf_ctxscale.analysis.comparisons import compare_scores, difference_by_position, position_difference
from hf_ctxscale.analysis.scored import load_scored
from hf_ctxscale.app.chart_block import ChartBlock
from hf_ctxscale.app.compare_choices import default_scores, score_choices
from hf_ctxscale.app.compare_tab import CompareEvents, compare_tab, verdict_html
from hf_ctxscale.app.compare_view import TOO_FEW, TWICE, compare_result, compare_view
from hf_ctxscale.app.opened import Library, OpenedStudy
from hf_ctxscale.app.screen import Screen
from hf_ctxscale.charts.chart_data import Chart
from hf_ctxscale.study import Study, UserError


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return write_trained_study(tmp_path_factory.mktemp("compare") / "study")


@pytest.fixture(scope="module")
def library(study: Study) -> Library:
    return Library(study, name="made up")


@pytest.fixture(scope="module")
def opened(library: Library) -> OpenedStudy:
    return library.open(Library.SHIPPED)


@pytest.fixture(scope="module")
def events(library: Library) -> CompareEvents:
    with gr.Blocks():
        return CompareEvents(library, ChartBlock("compare", label="two models"))


def chart_of(values: tuple[Any, ...]) -> Chart:
    (chart,) = (value for value in values if isinstance(value, Chart))
    return chart


def copy_of(study: Study, folder: Path, **changes: Any) -> OpenedStudy:
    """The study with another record of its first score."""
    copy = write_trained_study(folder)
    path = copy.score_file(default_scores(OpenedStudy("copy", "copy", copy, own=True))[0])
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return OpenedStudy(str(folder), "copy", copy, own=True)


def test_every_score_can_be_chosen_by_a_name_of_its_own(study: Study, opened: OpenedStudy) -> None:
    choices = score_choices(opened)
    assert set(choices) == {score.score_id for score in study.score_records()}
    assert len(set(choices.values())) == len(choices)


def test_at_first_the_best_lstm_and_the_best_transformer_of_the_largest_size_are_compared(opened: OpenedStudy) -> None:
    pair = max(opened.fits["paired_differences"], key=lambda pair: pair["size"])
    runs = [opened.scores[score_id].run_id for score_id in default_scores(opened)]
    assert runs == [pair["first_run_ids"][0], pair["second_run_ids"][0]]


def test_the_view_holds_what_the_analysis_of_both_scores_finds(study: Study, opened: OpenedStudy) -> None:
    first, second = default_scores(opened)
    view = compare_view(opened, first, second)
    a, b = load_scored(study, first), load_scored(study, second)
    assert [one.entry() for one in view.comparisons] == [one.entry() for one in compare_scores(a, b)]
    assert view.difference is not None
    band = difference_by_position(a, b).band
    assert view.difference.band.low_W.tolist() == band.low_W.tolist()
    # The band of many positions is wider than the interval of one, around the same value.
    one = position_difference(a, b, positions=view.difference.bins[-1])
    assert band.value_W[-1] == pytest.approx(one.value)
    assert band.low_W[-1] < one.low
    assert len(view.chart.panels) == 2
    assert view.refused is None
    assert len(view.verdict) >= 3


def test_other_tokenizers_are_refused_by_position_and_compared_by_byte(study: Study, tmp_path: Path) -> None:
    own = copy_of(study, tmp_path / "tokenizer", tokens_fingerprint="another", tokenizer_fingerprint="another")
    view = compare_view(own, *default_scores(own))
    assert view.refused is not None
    assert "have different tokenizers" in view.refused
    assert len(view.chart.panels) == 1
    assert "bits per byte" in view.verdict[0]
    assert view.difference is None
    assert verdict_html(view).index("different tokenizers") < verdict_html(view).index("bits per byte")


def test_other_text_is_refused_with_the_sentence_that_says_what_differs(study: Study, tmp_path: Path) -> None:
    own = copy_of(study, tmp_path / "text", corpus="<img src=x onerror=alert(1)>")
    view = compare_view(own, *default_scores(own))
    assert view.verdict == ()
    assert view.refused is not None
    assert "were not measured on the same text: corpus is" in view.refused
    assert "<img" not in verdict_html(view)
    assert "&lt;img" in verdict_html(view)


def test_a_score_that_is_not_there_and_one_model_twice_are_sentences(opened: OpenedStudy) -> None:
    first, _ = default_scores(opened)
    with pytest.raises(UserError, match="this study holds no score 'other'; it holds: "):
        compare_view(opened, first, "other")
    with pytest.raises(UserError, match="Both are the same model; choose two different ones"):
        compare_view(opened, first, first)


def test_swapping_turns_the_difference_round(events: CompareEvents, opened: OpenedStudy) -> None:
    first, second = default_scores(opened)
    given = events.chosen(Library.SHIPPED, Screen(), first, second)
    new_first, new_second, *rest = events.swapped(Library.SHIPPED, Screen(), first, second)
    assert (new_first, new_second) == (second, first)
    before, after = (compare_view(opened, *pair).difference for pair in ((first, second), (second, first)))
    assert before is not None
    assert after is not None
    assert after.band.value_W.tolist() == pytest.approx((-before.band.value_W).tolist())
    assert chart_of(tuple(rest)) != chart_of(given)


def test_one_model_twice_or_none_leaves_the_chart_as_it_is(events: CompareEvents, opened: OpenedStudy) -> None:
    first, _ = default_scores(opened)
    words, *chart = events.chosen(Library.SHIPPED, Screen(), first, first)
    assert TWICE in words
    assert all(value == gr.skip() for value in chart)
    assert TOO_FEW in events.chosen(Library.SHIPPED, Screen(), None, None)[0]


def test_a_visitors_models_are_kept_where_the_study_has_them(events: CompareEvents, opened: OpenedStudy) -> None:
    third, fourth = list(score_choices(opened))[2:4]
    first, second, *_ = events.refresh(Library.SHIPPED, Screen(), third, fourth)
    assert (first.value, second.value) == (third, fourth)
    assert [value for _, value in first.choices] == list(score_choices(opened))
    first, second, *_ = events.refresh(Library.SHIPPED, Screen(), third, "gone")
    assert (first.value, second.value) == (third, default_scores(opened)[1])
    first, second, *_ = events.refresh(Library.SHIPPED, Screen(), None, None)
    assert (first.value, second.value) == default_scores(opened)


def test_a_study_without_two_scores_says_so(tmp_path: Path, study: Study) -> None:
    table = tmp_path / "table"
    table.mkdir()
    (table / "table.csv").write_text("N,loss\n1e5,4.1\n2e5,3.6\n")
    library = Library(study, name="made up")
    key = library.add(Study(table), name="a table")
    with gr.Blocks():
        events = CompareEvents(library, ChartBlock("compare", label="two models"))
    first, second, words, *chart = events.refresh(key, Screen(), None, None)
    assert (first.value, second.value) == (None, None)
    assert TOO_FEW in words
    *nothing, frame = chart
    assert not any(nothing)
    assert not frame.visible


def test_every_output_of_the_tab_gets_a_value(library: Library) -> None:
    with gr.Blocks():
        parts = compare_tab(library, key=gr.State(Library.SHIPPED), screen=gr.State(Screen()))
    assert len(parts.refresh(Library.SHIPPED, Screen(), *(None for _ in parts.inputs))) == len(parts.outputs)


def test_the_api_takes_names_or_ids_and_answers_plain_json(events: CompareEvents, opened: OpenedStudy) -> None:
    first, second = default_scores(opened)
    names = score_choices(opened)
    by_default = events.compare()
    assert by_default == events.compare(names[first], second) == compare_result(compare_view(opened, first, second))
    assert json.loads(json.dumps(by_default, allow_nan=False)) == json.loads(json.dumps(by_default))
    assert {one["position_from"] for one in by_default["difference_by_position"]} >= {1, 2}
    assert all(math.isfinite(one["low"]) for one in by_default["difference_by_position"])
    with pytest.raises(UserError, match="this study holds no model 'GPT-9'; it holds: "):
        events.compare("GPT-9")
