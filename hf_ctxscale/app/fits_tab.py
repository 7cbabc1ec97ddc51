"""fits_tab: exponents, plateaus, crossovers and claims with their intervals, in words and then in tables."""

from typing import Any

import gradio as gr

from hf_ctxscale.app.errors import shown
from hf_ctxscale.app.opened import Library, OpenedStudy, kept_if_shipped
from hf_ctxscale.app.parts import TabParts
from hf_ctxscale.app.screen import Screen
from hf_ctxscale.reporting.fits_html import fits_html
from hf_ctxscale.reporting.words import verdict_sentence

CACHED = 16  # pages; one is about 200 kB


def fits_tab(library: Library, *, key: gr.State, screen: gr.State) -> TabParts:
    """Makes the tab's components and events.

    Args:
        library: the open studies.
        key: of the study that is shown.
        screen: of the visitor; tables are the same on all.
    """
    found = gr.HTML(elem_id="fits-found", padding=False)

    def refresh(key: str, screen: Screen) -> tuple[Any, ...]:
        return (_page(library.open(key)),)

    def claims() -> dict[str, Any]:
        """Every claim of the Space's own study: measured value, interval, p value, rule and verdict, with a sentence on all of them."""
        return claims_of(library.open(Library.SHIPPED))

    gr.api(shown(claims), api_name="claims", concurrency_limit=None)
    return TabParts(refresh, inputs=(), outputs=(found,))


@kept_if_shipped(CACHED)
def _page(opened: OpenedStudy) -> str:
    return fits_html(opened.sources)


def claims_of(opened: OpenedStudy) -> dict[str, Any]:
    """A study's claims as plain JSON, and the sentence on all of them."""
    return {"sentence": verdict_sentence(opened.sources), "claims": list(opened.fits.get("claims") or ())}
