"""training_tab: loss over training, loss by position at a moment of it, and when long-range use was learned."""

from collections.abc import Sequence
from html import escape
from typing import Any

import gradio as gr

from hf_ctxscale.app.chart_block import ChartBlock
from hf_ctxscale.app.compare_choices import as_options, chosen_value
from hf_ctxscale.app.errors import shown
from hf_ctxscale.app.opened import Library, OpenedStudy
from hf_ctxscale.app.parts import TabParts
from hf_ctxscale.app.screen import Screen
from hf_ctxscale.app.training_view import (
    MOST_RUNS,
    NO_CURVES,
    NO_RUNS,
    all_moments,
    checked_runs,
    default_runs,
    gap_chart,
    has_curves,
    loss_chart,
    position_chart,
    run_choices,
    training_result,
)
from hf_ctxscale.study import size_label

INTRODUCTION = (
    "What a model learns first is which tokens are common and what follows what; to use what stands far back is learned late, if at all. "
    "Choose models and a moment of their training."
)


def training_tab(library: Library, *, key: gr.State, screen: gr.State) -> TabParts:
    """Makes the tab's components and events.

    Args:
        library: the open studies.
        key: of the study that is shown.
        screen: of the visitor.
    """
    gr.Markdown(INTRODUCTION, elem_classes="introduction")
    runs = gr.Dropdown([], label=f"Models (at most {MOST_RUNS})", multiselect=True, max_choices=MOST_RUNS, elem_id="training-models")
    note = gr.HTML(elem_id="training-note")
    loss = ChartBlock("training-loss", label="validation loss during training")
    moment = gr.Slider(1, 2, 1, step=1, label="Moment of training", elem_id="training-moment", visible=False)
    position = ChartBlock("training-position", label="loss by position at this moment")
    gap = ChartBlock("training-gap", label="early minus late loss over training")
    by_run = gr.HTML(elem_id="training-words")
    events = TrainingEvents(library, loss=loss, position=position, gap=gap)
    at_moment, of_runs = list(position.outputs), [note, *loss.outputs, *gap.outputs, by_run]
    inputs = [key, screen, runs, moment]
    options: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
    runs.input(shown(events.chosen_runs), inputs, [*at_moment, *of_runs], trigger_mode="always_last", **options)
    moment.input(shown(events.chosen_moment), inputs, at_moment, trigger_mode="always_last", **options)
    gr.api(shown(events.training), api_name="training", concurrency_limit=None)
    return TabParts(events.refresh, inputs=(runs, moment), outputs=(runs, moment, *at_moment, *of_runs))


class TrainingEvents:
    """What happens in the tab; runs are given by their ids, a moment by its place among all of the study, from 1."""

    def __init__(self, library: Library, *, loss: ChartBlock, position: ChartBlock, gap: ChartBlock):
        self._library = library
        self._loss, self._position, self._gap = loss, position, gap

    def chosen_runs(self, key: str, screen: Screen, given: Sequence[str] | None, place: int | None) -> tuple[Any, ...]:
        """All charts anew; with no run chosen everything stays as it is."""
        if not given:
            num = len(self._position.outputs) + len(self._loss.outputs) + len(self._gap.outputs) + 2
            return tuple(gr.skip() for _ in range(num))
        opened = self._library.open(key)
        chosen = checked_runs(opened, given)
        return *self._at_moment(opened, screen, chosen, place), *self._over_training(opened, screen, chosen)

    def chosen_moment(self, key: str, screen: Screen, given: Sequence[str] | None, place: int | None) -> tuple[Any, ...]:
        """The chart that the slider moves, alone."""
        opened = self._library.open(key)
        if not given or not all_moments(opened) or place is None:
            return tuple(gr.skip() for _ in self._position.outputs)
        return self._at_moment(opened, screen, checked_runs(opened, given), place)

    def refresh(self, key: str, screen: Screen, given: Sequence[str] | None, place: int | None) -> tuple[Any, ...]:
        """Runs, slider and all charts; what was chosen is kept where the study has it, and a first look is at the end of training."""
        opened = self._library.open(key)
        choices, moments = run_choices(opened), all_moments(opened)
        kept = tuple(run_id for run_id in choices if run_id in (given or ()))
        chosen, at = (kept, place) if kept and place and place <= len(moments) else (kept or default_runs(opened), len(moments))
        dropdown = gr.Dropdown(choices=as_options(choices), value=list(chosen), multiselect=True)
        if not chosen:
            return (
                dropdown,
                gr.Slider(visible=False),
                *self._position.nothing(),
                _paragraph(NO_RUNS),
                *self._loss.nothing(),
                *self._gap.nothing(),
                "",
            )
        words = f"1 to {len(moments)}: validations after {size_label(moments[0])} to {size_label(moments[-1])} tokens" if moments else None
        # Gradio's sliders have two ends.
        slider = gr.Slider(maximum=max(len(moments), 2), value=max(at, 1), visible=len(moments) > 1, info=words)
        return dropdown, slider, *self._at_moment(opened, screen, chosen, at), *self._over_training(opened, screen, chosen)

    def training(self, model: str = "") -> dict[str, Any]:
        """One model of the Space's own study over its training: loss by position and the gap between early and late positions, with intervals.

        Args:
            model: name or run id; empty: the first of the two that the study sets against each other.
        """
        opened = self._library.open(Library.SHIPPED)
        run_id = chosen_value(model, choices=run_choices(opened), kind="run") if model else next(iter(default_runs(opened)), "")
        return training_result(opened, *checked_runs(opened, [run_id]))

    def _at_moment(self, opened: OpenedStudy, screen: Screen, chosen: tuple[str, ...], place: int | None) -> tuple[Any, ...]:
        moments = all_moments(opened)
        if not has_curves(opened, chosen):
            return self._position.nothing()
        chart, sentence = position_chart(opened, chosen, moments[_within(place, moments) - 1])
        return self._position.values(chart, screen=screen, sentence=sentence)

    def _over_training(self, opened: OpenedStudy, screen: Screen, chosen: tuple[str, ...]) -> tuple[Any, ...]:
        chart, sentence = loss_chart(opened, chosen)
        losses = self._loss.values(chart, screen=screen, sentence=sentence)
        if not has_curves(opened, chosen):
            return _paragraph(NO_CURVES), *losses, *self._gap.nothing(), ""
        gaps, (headline, *others) = gap_chart(opened, chosen)
        return "", *losses, *self._gap.values(gaps, screen=screen, sentence=headline), sentences_html(others)


def _within(place: int | None, moments: Sequence[int]) -> int:
    """A place among the moments, from 1; the end of training where a visitor has emptied the field."""
    return max(1, min(int(place or len(moments)), len(moments)))


def sentences_html(sentences: Sequence[str]) -> str:
    """A list of sentences, escaped; nothing where there are none."""
    return f"<ul>{''.join(f'<li>{escape(one)}</li>' for one in sentences)}</ul>" if sentences else ""


def _paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"
