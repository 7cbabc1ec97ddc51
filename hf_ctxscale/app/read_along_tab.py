"""read_along_tab: a text token by token under two models, coloured by what the context bought."""

from typing import Any

import gradio as gr

from hf_ctxscale.app.chart_block import SAVE
from hf_ctxscale.app.errors import shown
from hf_ctxscale.app.parts import TabParts
from hf_ctxscale.app.read_along import (
    LONGEST_SHORT_CONTEXT_TOKENS,
    SHORT_CONTEXT_TOKENS,
    ReadAlong,
    reading_data,
    reading_file,
    reading_html,
)
from hf_ctxscale.app.read_along_examples import EXAMPLES
from hf_ctxscale.app.reading_models import ReadingModels
from hf_ctxscale.app.screen import Screen
from hf_ctxscale.app.settings import SpaceSettings

OWN_TEXT = "A text of your own"
NO_SECOND = ("No second model", "")
NO_MODELS = "No model is listed here to read along with. On your own computer, `hf-ctxscale space STUDY` lists the models of a study."
OPENING = "Opening the models: some seconds …"
READING = "Reading …"
NOTHING = ("", "", ())  # after an error: what another text gave would be taken for this one's
NOT_OPENED = "The models could not be opened. Press Read to try again."
ONE_AT_A_TIME = "read along"  # concurrency: one text is read at a time, so that charts have a core of their own


def read_along_tab(*, key: gr.State, screen: gr.State, reading: ReadingModels, settings: SpaceSettings) -> TabParts:
    """Makes the tab's components and events.

    Args:
        key: of the study that is shown; what is read does not depend on it.
        screen: of the visitor.
        reading: the models.
        settings: what may be loaded, and limits.
    """
    answers = ReadAlong(reading, limits=settings.limits)
    gr.Markdown(
        "Every token of a text is predicted twice: from all that stands before it, and from its last few tokens alone. "
        "What the longer context buys is the difference, and the colour.",
        elem_classes="introduction",
    )
    if not reading.names and not reading.any_model:
        gr.Markdown(NO_MODELS)
        return TabParts(lambda key, screen: (), inputs=(), outputs=())
    first, second = (*reading.first_pair(), "", "")[:2]
    choice = gr.Radio([*EXAMPLES, OWN_TEXT], value=next(iter(EXAMPLES)), label="Text", elem_id="read-along-choice")
    text = gr.Textbox(
        next(iter(EXAMPLES.values())),
        label=f"Text to read (at most {settings.limits.text_characters:,} characters)",
        lines=8,
        max_lines=12,
        max_length=settings.limits.text_characters,
        elem_id="read-along-text",
    )
    with gr.Row():
        models = [
            gr.Dropdown(
                [*reading.names, *([] if place == 0 else [NO_SECOND])],
                value=name,
                label=label,
                info="A model of the Hub works too: OWNER/NAME." if reading.any_model else None,
                allow_custom_value=reading.any_model,
                filterable=reading.any_model,
                elem_id=f"read-along-model-{place + 1}",
            )
            for place, (label, name) in enumerate((("First model", first), ("Second model", second)))
        ]
        short = gr.Slider(
            1,
            LONGEST_SHORT_CONTEXT_TOKENS,
            SHORT_CONTEXT_TOKENS,
            step=1,
            label="Short context (tokens)",
            elem_id="read-along-short",
        )
    with gr.Row():
        button = gr.Button("Read", variant="primary", elem_id="read-along-read")
        save = gr.Button("Save CSV", elem_id="read-along-csv")
    status = gr.Markdown(elem_id="read-along-status")
    coloured = gr.HTML(elem_id="read-along-result", apply_default_css=False)
    readings, file = gr.State(()), gr.JSON(visible="hidden")
    asked = gr.Textbox(visible="hidden", show_label=False)

    @shown
    def read(text: str, first: str, second: str, short: int, request: gr.Request) -> tuple[Any, ...]:
        found = answers.read(text, first, second or "", short_context_tokens=short, request=request)
        return "", reading_html(found), found

    @shown
    def read_example(choice: str, text: str, first: str, second: str, short: int, request: gr.Request) -> tuple[Any, ...]:
        """An example is read as soon as it is chosen."""
        return read(text, first, second, short, request) if choice in EXAMPLES else (gr.skip(),) * 3

    @shown
    def opened(text: str, first: str, second: str, short: int, request: gr.Request) -> tuple[Any, ...]:
        """Opens the models and reads the text that stands there."""
        most = answers.longest_short_context([name for name in (first, second) if name], request=request)
        found = answers.read(text, first, second or "", short_context_tokens=min(short, most), request=request)
        return "", reading_html(found), found, gr.Slider(maximum=most, value=min(short, most))

    @shown
    def read_along(
        text: str, first: str, second: str = "", short_context_tokens: int = SHORT_CONTEXT_TOKENS, request: gr.Request | None = None
    ) -> dict:
        """Reads a text token by token: each token's loss from its full context, and from its last few tokens alone.

        Args:
            text: what is read.
            first: a model that the page lists.
            second: another one; empty: none.
            short_context_tokens: tokens of the short context.
        """
        return reading_data(answers.read(text, first, second, short_context_tokens=short_context_tokens, request=request))

    queued: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": ONE_AT_A_TIME}
    # The status line says that something is going on; the rest does not wait in the queue behind it.
    reads: dict[str, Any] = {**queued, "show_progress": "hidden", "api_visibility": "private"}
    instant: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
    result = [status, coloured, readings]
    choice.input(_chosen_text, [choice, text], [text, status], **instant).then(
        read_example, [choice, text, *models, short], result, **reads
    ).failure(lambda: NOTHING, None, result, **instant)
    text.input(None, None, choice, js=f'() => "{OWN_TEXT}"', api_visibility="private")
    button.click(lambda: READING, None, status, **instant).then(read, [text, *models, short], result, **reads).failure(
        lambda: NOTHING, None, result, **instant
    )
    asked.change(opened, [text, *models, short], [*result, short], **reads).failure(lambda: NOT_OPENED, None, status, **instant)
    save.click(shown(reading_file), readings, file, **instant).success(None, file, js=SAVE, api_visibility="private")
    gr.api(read_along, api_name="read_along", **queued)

    def refresh(key: str, screen: Screen, asked: str) -> tuple[Any, ...]:
        """Asks for the models when the tab is first shown, which starts ``opened``."""
        return (gr.skip(), gr.skip()) if asked else ("asked", OPENING)

    return TabParts(refresh, inputs=(asked,), outputs=(asked, status))


def _chosen_text(choice: str, text: str) -> tuple[str, str]:
    """An example, which is read at once, or what stands there as a text of one's own."""
    return (EXAMPLES[choice], READING) if choice in EXAMPLES else (text, "")
