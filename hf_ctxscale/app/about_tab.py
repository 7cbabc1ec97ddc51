"""about_tab: what the page is, its method and limits, how to cite it, and the command behind every chart."""

from typing import Any

import gradio as gr

from hf_ctxscale.app.about_text import about_html, citation
from hf_ctxscale.app.opened import Library
from hf_ctxscale.app.parts import TabParts
from hf_ctxscale.app.screen import Screen

CITATION_LINES = 16  # shown at once; the rest scrolls


def about_tab(library: Library, *, key: gr.State, screen: gr.State) -> TabParts:
    """Makes the tab's components.

    Args:
        library: the open studies.
        key: of the study that is shown.
        screen: of the visitor; the text is the same on all.
    """
    text = gr.HTML(elem_id="about-text", padding=False)
    cite = gr.Textbox(
        label="How to cite (BibTeX)",
        interactive=False,
        buttons=["copy"],
        lines=CITATION_LINES,
        max_lines=CITATION_LINES,
        elem_id="about-cite",
    )

    def refresh(key: str, screen: Screen) -> tuple[Any, ...]:
        sources = library.open(key).sources
        return about_html(sources), citation(sources)

    return TabParts(refresh, inputs=(), outputs=(text, cite))
