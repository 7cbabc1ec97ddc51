"""ExploreTab: both charts of the figure at first sight, and what can be chosen of them."""

from dataclasses import replace
from typing import Any

import gradio as gr

from hf_ctxscale.app.chart_block import ChartBlock
from hf_ctxscale.app.errors import shown
from hf_ctxscale.app.explore import choices_of, explore
from hf_ctxscale.app.opened import Library, OpenedStudy
from hf_ctxscale.app.parts import TabParts
from hf_ctxscale.app.screen import Screen
from hf_ctxscale.app.view import to_query
from hf_ctxscale.app.view_controls import ViewControls, control_updates, view_of
from hf_ctxscale.charts.chosen_view import View, ViewChoices


class ExploreTab:
    """The tab's components.

    Attributes:
        query: holds what is chosen as the part of a link behind its question mark, that one included.
        parts: what the page needs of a tab.
    """

    query: gr.Textbox
    parts: TabParts

    def __init__(self, library: Library, *, key: gr.State, screen: gr.State):
        """Makes the components and their events.

        Args:
            library: of open studies.
            key: of the study that is shown.
            screen: of the visitor.
        """
        self._library = library
        with gr.Accordion("Choose what is shown", open=False, elem_id="view-controls"):
            controls = ViewControls(choices_of(library.open(Library.SHIPPED)))
        with gr.Row(equal_height=False):
            self._size = ChartBlock("size", label="loss by size")
            self._position = ChartBlock("position", label="loss by position in the context")
        self.query = gr.Textbox(visible="hidden", show_label=False)
        offered = gr.State(None)
        charts = (*self._size.outputs, *self._position.outputs, self.query)
        gr.on(
            controls.inputs,
            shown(self.redraw),
            [key, screen, *controls.components],
            [*charts],
            trigger_mode="always_last",
            queue=False,
            show_progress="hidden",
            api_visibility="private",
        )
        self.parts = TabParts(self.refresh, inputs=(offered, *controls.components), outputs=(offered, *controls.components, *charts))

    def open_view(self, opened: OpenedStudy, view: View, *, screen: Screen) -> tuple[Any, ...]:
        """What fills every output with a view of a study."""
        choices = choices_of(opened)
        return (choices, *control_updates(view, choices), *self._charts(opened, view, screen=screen))

    def refresh(self, key: str, screen: Screen, offered: ViewChoices | None, *values: Any) -> tuple[Any, ...]:
        """The same for another screen, or another study: of one that offers other models all are shown.

        Args:
            key: of the study.
            screen: of the visitor.
            offered: what could be chosen so far.
            values: of the controls.
        """
        opened = self._library.open(key)
        view = view_of(values, choices_of(opened))
        if offered != choices_of(opened):
            view = replace(view, families=None, depths=None, sizes=None, seeds=None)
        return self.open_view(opened, view, screen=screen)

    def redraw(self, key: str, screen: Screen, *values: Any) -> tuple[Any, ...]:
        """Both charts after a choice."""
        opened = self._library.open(key)
        return self._charts(opened, view_of(values, choices_of(opened)), screen=screen)

    def _charts(self, opened: OpenedStudy, view: View, *, screen: Screen) -> tuple[Any, ...]:
        drawn = explore(opened, view)
        return (
            *self._size.values(drawn.size, screen=screen, sentence=drawn.size_words),
            *self._position.values(drawn.position, screen=screen, sentence=drawn.position_words),
            f"?{to_query(view)}",
        )
