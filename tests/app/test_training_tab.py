"""The tab Training: runs over training, a moment chosen with the slider, and older studies without curves."""

import json
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from trained_study import LATE_GAPS, write_trained_study

from hf_ctxscale.app.chart_block import ChartBlock
from hf_ctxscale.app.opened import Library, OpenedStudy
from hf_ctxscale.app.screen import Screen
from hf_ctxscale.app.training_tab import TrainingEvents, sentences_html, training_tab
from hf_ctxscale.app.training_view import (
    MOST_RUNS,
    NO_CURVES,
    NO_RUNS,
    all_moments,
    checked_runs,
    default_runs,
    gap_chart,
    position_chart,
    run_choices,
    training_result,
)
from hf_ctxscale.charts.chart_data import Chart, Line
from hf_ctxscale.study import Study, UserError
from tests.made_up_training import STEPS, TOKENS_PER_STEP


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    return Library(write_trained_study(tmp_path_factory.mktemp("training") / "study"), name="made up")


@pytest.fixture(scope="module")
def opened(library: Library) -> OpenedStudy:
    return library.open(Library.SHIPPED)


def events_of(library: Library) -> TrainingEvents:
    with gr.Blocks():
        loss, position, gap = (ChartBlock(name, label=name) for name in ("loss", "position", "gap"))
        return TrainingEvents(library, loss=loss, position=position, gap=gap)


def charts_of(values: tuple[Any, ...]) -> list[str]:
    return [value.name for value in values if isinstance(value, Chart)]


def test_every_scored_run_can_be_chosen_and_the_two_of_the_largest_size_are_at_first(opened: OpenedStudy) -> None:
    assert set(run_choices(opened)) == set(opened.records)
    assert {opened.records[run_id].architecture for run_id in default_runs(opened)} == {"lstm", "gpt2"}
    assert all_moments(opened) == tuple(step * TOKENS_PER_STEP for step in STEPS)


def test_the_words_name_the_transformer_that_learned_late_and_not_the_lstm(opened: OpenedStudy) -> None:
    chosen = checked_runs(opened, default_runs(opened))
    names = {opened.records[run_id].architecture: run_choices(opened)[run_id] for run_id in chosen}
    _, (headline, *sentences) = gap_chart(opened, chosen)
    assert headline.startswith(f"Long-range use was learned late by {names['gpt2']}: ")
    assert names["lstm"] not in headline
    of_gpt2 = next(one for one in sentences if one.startswith(names["gpt2"]))
    assert f"{LATE_GAPS[2]:+.2f}" in of_gpt2
    # The gap of the middle moment is ten times its noise.
    assert "its interval lies above 0 from 102K training tokens on (10 % of its training)" in of_gpt2


def test_the_slider_moves_the_curves_and_not_the_axes(opened: OpenedStudy) -> None:
    chosen = checked_runs(opened, default_runs(opened))
    early, late = (position_chart(opened, chosen, tokens)[0] for tokens in (all_moments(opened)[0], all_moments(opened)[-1]))
    assert (early.panels[0].y.low, early.panels[0].y.high) == (late.panels[0].y.low, late.panels[0].y.high)
    solid = [{line.y for line in chart.panels[0].marks if isinstance(line, Line) and line.dash == "solid"} for chart in (early, late)]
    assert solid[0].isdisjoint(solid[1])


def test_the_tab_shows_three_charts_and_a_slider_over_all_moments(library: Library) -> None:
    runs, slider, *values = events_of(library).refresh(Library.SHIPPED, Screen(), None, 1)
    assert charts_of(tuple(values)) == ["position_in_training", "loss_vs_tokens", "gap_in_training"]
    assert (slider.maximum, slider.value, slider.visible) == (len(STEPS), len(STEPS), True)
    assert set(runs.value) == set(default_runs(library.open(Library.SHIPPED)))


def test_runs_and_moment_are_kept_where_the_study_has_them(library: Library) -> None:
    some = list(run_choices(library.open(Library.SHIPPED)))[3]
    runs, slider, *_ = events_of(library).refresh(Library.SHIPPED, Screen(), [some, "gone"], 2)
    assert (runs.value, slider.value) == ([some], 2)
    _, slider, *_ = events_of(library).refresh(Library.SHIPPED, Screen(), [some], 17)
    assert slider.value == len(STEPS)


def test_moving_the_slider_draws_the_moment_alone_and_choosing_runs_draws_all(library: Library) -> None:
    events, chosen = events_of(library), list(default_runs(library.open(Library.SHIPPED)))
    assert charts_of(events.chosen_moment(Library.SHIPPED, Screen(), chosen, 1)) == ["position_in_training"]
    assert len(charts_of(events.chosen_runs(Library.SHIPPED, Screen(), chosen, 1))) == 3


def test_an_emptied_or_impossible_moment_leaves_the_chart_or_takes_the_nearest(library: Library) -> None:
    events, chosen = events_of(library), list(default_runs(library.open(Library.SHIPPED)))
    assert all(value == gr.skip() for value in events.chosen_moment(Library.SHIPPED, Screen(), chosen, None))
    assert len(charts_of(events.chosen_runs(Library.SHIPPED, Screen(), chosen, None))) == 3
    first, below, last, above = (events.chosen_moment(Library.SHIPPED, Screen(), chosen, place)[3] for place in (1, -4, len(STEPS), 99))
    assert (below, above) == (first, last)
    assert events.refresh(Library.SHIPPED, Screen(), chosen, None)[1].value == len(STEPS)


def test_without_a_run_everything_stays_as_it_is(library: Library) -> None:
    events = events_of(library)
    for values in (events.chosen_runs(Library.SHIPPED, Screen(), [], 1), events.chosen_moment(Library.SHIPPED, Screen(), None, 1)):
        assert values
        assert all(value == gr.skip() for value in values)


def test_unknown_runs_and_too_many_are_sentences(opened: OpenedStudy) -> None:
    with pytest.raises(UserError, match="this study holds no run '<b>' with a history; it holds: "):
        checked_runs(opened, ["<b>"])
    many = list(run_choices(opened))[: MOST_RUNS + 1]
    with pytest.raises(UserError, match=f"{MOST_RUNS + 1} runs are chosen; choose 1 to {MOST_RUNS}"):
        checked_runs(opened, many)


def test_runs_without_curves_have_their_loss_over_training_and_a_sentence(tmp_path: Path) -> None:
    library = Library(write_trained_study(tmp_path / "older", curves=False), name="older")
    _, slider, *values = events_of(library).refresh(Library.SHIPPED, Screen(), None, 1)
    assert charts_of(tuple(values)) == ["loss_vs_tokens"]
    assert slider.visible is False
    assert any(isinstance(value, str) and NO_CURVES in value for value in values)
    with pytest.raises(UserError, match="an older version trained them"):
        training_result(library.open(Library.SHIPPED), default_runs(library.open(Library.SHIPPED))[0])


def test_a_file_that_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    study = write_trained_study(tmp_path / "broken")
    study.validation_curves_file(study.run_records()[0].run_id).write_bytes(b"not parquet")
    with pytest.raises(UserError, match="is not a table of validation curves"):
        events_of(Library(study, name="broken")).refresh(Library.SHIPPED, Screen(), None, 1)


def test_numbers_from_elsewhere_have_no_training_and_the_tab_says_so(tmp_path: Path, library: Library) -> None:
    table = tmp_path / "table"
    table.mkdir()
    (table / "table.csv").write_text("N,loss\n1e5,4.1\n2e5,3.6\n")
    own = Library(library.open(Library.SHIPPED).study, name="made up")
    key = own.add(Study(table), name="a table")
    runs, slider, *values = events_of(own).refresh(key, Screen(), ["gone"], 2)
    assert (runs.value, slider.visible) == ([], False)
    assert charts_of(tuple(values)) == []
    assert any(isinstance(value, str) and NO_RUNS in value for value in values)


def test_every_output_of_the_training_tab_gets_a_value(library: Library) -> None:
    with gr.Blocks():
        parts = training_tab(library, key=gr.State(Library.SHIPPED), screen=gr.State(Screen()))
    assert len(parts.refresh(Library.SHIPPED, Screen(), None, 1)) == len(parts.outputs)


def test_the_api_gives_every_moment_with_intervals_as_plain_json(library: Library) -> None:
    opened = library.open(Library.SHIPPED)
    run_id = next(run_id for run_id in default_runs(opened) if opened.records[run_id].architecture == "gpt2")
    answer = events_of(library).training(run_choices(opened)[run_id])
    assert answer == events_of(library).training(run_id)
    assert answer["run_id"] == run_id
    assert [moment["tokens"] for moment in answer["moments"]] == list(all_moments(opened))
    gaps = [moment["early_minus_late_nats"] for moment in answer["moments"]]
    assert [gap["value"] for gap in gaps] == pytest.approx(LATE_GAPS, abs=0.01)
    assert all(gap["low"] < gap["value"] < gap["high"] for gap in gaps)
    json.dumps(answer, allow_nan=False)


def test_sentences_are_escaped() -> None:
    assert sentences_html(["<script>alert(1)</script>"]) == "<ul><li>&lt;script&gt;alert(1)&lt;/script&gt;</li></ul>"
    assert sentences_html([]) == ""
