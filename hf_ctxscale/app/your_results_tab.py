"""your_results_tab: a visitor's own numbers in place of the shipped ones: a CSV file, a study folder, or a results dataset on the Hub."""

from html import escape
from typing import Any

import gradio as gr
from gradio.context import Context

from hf_ctxscale.app.errors import shown
from hf_ctxscale.app.opened import Library
from hf_ctxscale.app.parts import TabParts
from hf_ctxscale.app.screen import Screen
from hf_ctxscale.app.settings import SpaceSettings
from hf_ctxscale.app.your_results import OpenedResults, YourResults

INTRODUCTION = """
Open numbers of your own, and this page shows them in place of the shipped ones, to you alone. **Nothing is stored**: what you give is
removed when you open something else, when you close the page, or after an hour. Only numbers are read; models are not loaded from it.
"""
ABOUT_CSV = """
Losses of your own, from anywhere: a CSV file with the columns `N` and `loss`, or `N`, `D` and `loss`, or `position` and `loss`; where
known, `series` (which line a row belongs to), `std_error` and `seed` too. `N` counts parameters, `D` training tokens, losses are in nats
per token.
"""
ABOUT_ZIP = """
A study folder of `hf-ctxscale run` or `hf-ctxscale score`, packed as one zip file. A small copy will do:
`hf-ctxscale condense STUDY --out small`, then pack the folder `small`. Fits and claims are computed anew.
"""
ABOUT_DATASET = """
Results that were published with `hf-ctxscale publish results`: the id of the dataset on the Hugging Face Hub. Only datasets that everybody
may read can be opened; this page never asks for a login.
"""
AT_ONCE = 2  # visitors' files that are analysed at a time: one per core of a free Space


def your_results_tab(library: Library, *, key: gr.State, screen: gr.State, settings: SpaceSettings) -> TabParts:
    """Makes the tab's components and events.

    Args:
        library: of open studies.
        key: of the study that is shown: what a visitor opens becomes its value.
        screen: of the visitor.
        settings: limits.
    """
    answers = YourResults(library, limits=settings.limits)
    gr.Markdown(INTRODUCTION)
    status = gr.HTML(elem_id="your-results-status")
    with gr.Accordion("A CSV file", open=True):
        gr.Markdown(ABOUT_CSV)
        csv = gr.File(label="CSV file", file_types=[".csv", ".txt"], height=140, elem_id="your-results-csv")
        columns = gr.Textbox(
            label="Columns, where they have other names",
            placeholder="N=params,loss=val",
            info="The name here, an equals sign, the name in your file; several with commas.",
            max_length=500,
            elem_id="your-results-columns",
        )
        fit = gr.Button("Fit", variant="primary", elem_id="your-results-fit")
    with gr.Accordion("A study folder", open=False):
        gr.Markdown(ABOUT_ZIP)
        packed = gr.File(label="Zip file of a study folder", file_types=[".zip"], height=140, elem_id="your-results-zip")
        unpack = gr.Button("Open the study", variant="primary", elem_id="your-results-unpack")
    with gr.Accordion("A results dataset on the Hub", open=False):
        gr.Markdown(ABOUT_DATASET)
        with gr.Row():
            repo_id = gr.Textbox(label="Dataset", placeholder="OWNER/NAME", max_length=150, elem_id="your-results-dataset")
            revision = gr.Textbox(
                label="Revision",
                placeholder="main",
                info="A branch, tag or commit; empty: the newest.",
                max_length=100,
                elem_id="your-results-revision",
            )
        fetch = gr.Button("Open the dataset", variant="primary", elem_id="your-results-fetch")

    @shown
    def open_file(file: str | None, columns: str, request: gr.Request) -> tuple[str, str, None]:
        opened = answers.open_csv(file, columns, request=request)
        return opened.key, opened_words(opened), None

    @shown
    def open_folder(file: str | None, request: gr.Request) -> tuple[str, str, None]:
        opened = answers.open_zip(file, request=request)
        return opened.key, opened_words(opened), None

    @shown
    def open_dataset(repo_id: str, revision: str, request: gr.Request) -> tuple[str, str]:
        opened = answers.open_dataset(repo_id, revision, request=request)
        return opened.key, opened_words(opened)

    def closed(key: str, request: gr.Request) -> None:
        """Who goes back to the shipped results needs their own no longer."""
        if key == Library.SHIPPED:
            answers.forget(request)

    @shown
    def open_csv(table: str, columns: str = "", request: gr.Request | None = None) -> dict:
        """Fits laws to losses given as a CSV table: loss against size, size and data, or position. Nothing is kept.

        Args:
            table: the text of a CSV file with columns N and loss, or N, D and loss, or position and loss.
            columns: which column is what, where they have other names, such as N=params,loss=val.
        """
        return answers.fits_of(table, columns, request=request)

    queued: dict[str, Any] = {"concurrency_limit": AT_ONCE, "concurrency_id": "your results"}
    fit.click(open_file, [csv, columns], [key, status, csv], api_visibility="private", **queued)
    unpack.click(open_folder, [packed], [key, status, packed], api_visibility="private", **queued)
    fetch.click(open_dataset, [repo_id, revision], [key, status], api_visibility="private", **queued)
    key.change(closed, key, None, queue=False, show_progress="hidden", api_visibility="private")
    gr.api(open_csv, api_name="open_csv", **queued)
    assert Context.root_block is not None
    Context.root_block.unload(answers.forget)

    def refresh(key: str, screen: Screen) -> tuple[Any, ...]:
        """What was said of a study goes with it."""
        return (gr.skip() if library.open(key).own else "",)

    return TabParts(refresh, inputs=(), outputs=(status,))


def opened_words(opened: OpenedResults) -> str:
    """What was opened, and what is to be known of it."""
    notes = "".join(f"<li>{escape(note)}</li>" for note in opened.notes)
    listed = f"<ul>{notes}</ul>" if notes else ""
    return f'<div role="status"><p><strong>{escape(opened.name)}</strong> was opened: every tab shows it now.</p>{listed}</div>'
