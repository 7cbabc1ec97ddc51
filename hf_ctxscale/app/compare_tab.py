"""compare_tab: any two models of the study by position, with their paired difference and what it comes to."""

from html import escape
from typing import Any

import gradio as gr

from hf_ctxscale.app.chart_block import ChartBlock
from hf_ctxscale.app.compare_choices import as_options, chosen_value, default_scores, kept, score_choices
from hf_ctxscale.app.compare_view import TOO_FEW, TWICE, CompareView, compare_result, compare_view
from hf_ctxscale.app.errors import shown
from hf_ctxscale.app.opened import Library
from hf_ctxscale.app.parts import TabParts
from hf_ctxscale.app.screen import Screen
from hf_ctxscale.study import UserError

INTRODUCTION = (
    "Two models read the same documents. Their difference is taken document by document, so that what makes a document hard for both drops out: "
    "its band is far narrower than those of the losses."
)


def compare_tab(library: Library, *, key: gr.State, screen: gr.State) -> TabParts:
    """Makes the tab's components and events.

    Args:
        library: the open studies.
        key: of the study that is shown.
        screen: of the visitor.
    """
    gr.Markdown(INTRODUCTION, elem_classes="introduction")
    with gr.Row(elem_classes="compare-models"):
        first = gr.Dropdown([], label="First model", filterable=False, elem_id="compare-first", scale=4)
        swap = gr.Button("Swap", elem_id="compare-swap", scale=1, min_width=80)
        second = gr.Dropdown([], label="Second model", filterable=False, elem_id="compare-second", scale=4)
    verdict = gr.HTML(elem_id="compare-verdict")
    block = ChartBlock("compare", label="two models by position")
    events = CompareEvents(library, block)
    filled = [verdict, *block.outputs]
    inputs = [key, screen, first, second]
    options: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
    gr.on([first.input, second.input], shown(events.chosen), inputs, filled, trigger_mode="always_last", **options)
    swap.click(shown(events.swapped), inputs, [first, second, *filled], **options)
    gr.api(shown(events.compare), api_name="compare", concurrency_limit=None)
    return TabParts(events.refresh, inputs=(first, second), outputs=(first, second, *filled))


class CompareEvents:
    """What happens in the tab; models are given by the ids of their scores."""

    def __init__(self, library: Library, block: ChartBlock):
        self._library = library
        self._block = block

    def chosen(self, key: str, screen: Screen, first: str | None, second: str | None) -> tuple[Any, ...]:
        """Verdict and chart of two models; the chart stays where there are no two."""
        if first is None or second is None or first == second:
            return _paragraph(TWICE if first else TOO_FEW), *(gr.skip() for _ in self._block.outputs)
        view = compare_view(self._library.open(key), first, second)
        return verdict_html(view), *self._block.values(view.chart, screen=screen)

    def swapped(self, key: str, screen: Screen, first: str | None, second: str | None) -> tuple[Any, ...]:
        """The two models the other way round, in front of their verdict and chart."""
        return second, first, *self.chosen(key, screen, second, first)

    def refresh(self, key: str, screen: Screen, first: str | None, second: str | None) -> tuple[Any, ...]:
        """Both dropdowns, verdict and chart; the two models are kept where the study has them."""
        opened = self._library.open(key)
        choices = score_choices(opened)
        if len(choices) < 2:
            none = gr.Dropdown(choices=as_options(choices), value=None)
            return none, none, _paragraph(TOO_FEW), *self._block.nothing()
        defaults = default_scores(opened)
        both = tuple(kept(own, choices=choices, default=default) for own, default in zip((first, second), defaults, strict=True))
        one, other = both if both[0] != both[1] else defaults
        dropdowns = (gr.Dropdown(choices=as_options(choices), value=value) for value in (one, other))
        return *dropdowns, *self.chosen(key, screen, one, other)

    def compare(self, first: str = "", second: str = "") -> dict[str, Any]:
        """Compares two models of the Space's own study by document: every quantity with interval and verdict, and the difference by position.

        Args:
            first: name or score id of a model; empty: the study's own choice.
            second: name or score id of the model that is subtracted; empty: the study's own choice.
        """
        opened = self._library.open(Library.SHIPPED)
        choices = score_choices(opened)
        if len(choices) < 2:
            raise UserError(TOO_FEW)
        both = [
            chosen_value(given, choices=choices, kind="model") if given else default
            for given, default in zip((first, second), default_scores(opened), strict=True)
        ]
        return compare_result(compare_view(opened, *both))


def verdict_html(view: CompareView) -> str:
    """The sentences about two models, escaped; that which refuses their difference first."""
    refused = f'<p class="refused">{escape(view.refused)}</p>' if view.refused else ""
    return refused + (f'<ul class="verdict">{"".join(f"<li>{escape(one)}</li>" for one in view.verdict)}</ul>' if view.verdict else "")


def _paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"
