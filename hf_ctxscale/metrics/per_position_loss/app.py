"""The metric's app: paste or upload per-token losses, see loss by context position with intervals. Run it with `python app.py`.

evaluate's own launch_gradio_widget fails with gradio 6 (it asks for gr.inputs, gone since gradio 4) and would show a text of numbers; this
app has a table and a chart instead. On a Space the package's folder stands beside this file.
"""

import math
from html import escape
from pathlib import Path
from typing import Any

import evaluate
import gradio as gr
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from hf_ctxscale.analysis.verdicts import MIN_DOCUMENTS
from hf_ctxscale.metrics.per_position_loss.example_losses import example_csv
from hf_ctxscale.metrics.per_position_loss.read_losses import read_losses, read_losses_file
from hf_ctxscale.study import UserError

MODULE = Path(__file__).with_name("per_position_loss.py")
MEASURES = {
    "mean_loss_nats": "Mean loss (nats per token)",
    "bits_per_byte": "Bits per byte",
    "context_gain_nats": "Context gain (nats)",
    "in_context_score_nats": "In-context score (nats)",
}
INTRODUCTION = """
# Loss by context position

How much better does a language model predict a token when it has seen more text before it? Give the losses of its predictions, in nats:
**a line for each block of text, a column for each position**. Name each block's document in the first column and every number gets an
interval over documents.
"""
FORM = """
- CSV with commas, semicolons or tabs; a header line is not needed, unless the ids are numbers: then begin it with `document_id`.
- JSON: a list of rows, or an object with `predictions` (the rows) and, where you have them, `document_ids` and `num_bytes`, the bytes of each
  predicted token, which give bits per byte.
"""
READING = """
- **Context gain**: mean loss over positions 65-128 minus the mean over the last half of the context. Above 0, the longer context helps.
- **In-context score**: mean over positions 481-512 minus the mean over 45-55. Below 0, the longer context helps.
- Intervals cover the choice of documents; in the chart, for each group of positions by itself.
"""
# System fonts, since the default theme fetches its own from the web, and small print dark enough to read.
THEME = gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]).set(
    block_info_text_color="*neutral_600", body_text_color_subdued="*neutral_600"
)
# A line of losses is a row: lines that wrap would hide the form.
CSS = "#pasted-losses textarea { white-space: pre; overflow-x: auto; font-family: monospace; font-size: 13px; }"

Rows = list[list[str]]


def compute(text: str, file: str | None, confidence: float) -> tuple[str, Rows, Figure, Rows, dict[str, Any]]:
    """What the page shows of a text or, where there is one, of an uploaded file: summary, table, chart, table by position, all results.

    Raises:
        gr.Error: with the metric's sentence.
    """
    try:
        given = read_losses_file(file) if file else read_losses(text)
        # Loaded anew: a metric holds sums, and visitors come at the same time.
        results = evaluate.load(str(MODULE)).compute(**given, confidence=confidence)
    except UserError as error:
        # The page shows the message as HTML, and it may quote what was given.
        raise gr.Error(escape(str(error), quote=False), duration=None, print_exception=False) from None
    return _summary(results), _measure_rows(results), draw_bins(results), _bin_rows(results), results


def _summary(results: dict[str, Any]) -> str:
    """What was read, the result in a sentence, and how far to trust it."""
    num_documents, num_blocks = results["num_documents"], results["num_blocks"]
    documents = "" if num_documents is None else f", {_counted(num_documents, 'document')}"
    read = f"{_counted(num_blocks, 'block')} of {_counted(len(results['loss_nats']), 'loss')}{documents}."
    mean = f"**Mean loss {results['mean_loss_nats']:.3f} nats per token**{_interval_in_words(results)}."
    if num_documents is not None and num_documents < MIN_DOCUMENTS:
        return f"{read} {mean} An interval from fewer than {MIN_DOCUMENTS} documents is not to be relied on."
    return f"{read} {mean}"


def _counted(number: int, noun: str) -> str:
    plural = "losses" if noun == "loss" else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"


def _interval_in_words(results: dict[str, Any]) -> str:
    if results["mean_loss_nats_low"] is None:
        return f" ({results['mean_loss_nats_reason']})"
    return f" ({_percent(results)} interval {_limits(results['mean_loss_nats_low'], results['mean_loss_nats_high'])})"


def _percent(results: dict[str, Any]) -> str:
    return f"{100 * results['confidence']:g} %"


def _limits(low: float, high: float) -> str:
    return f"{low:.3f} to {high:.3f}"


def _measure_rows(results: dict[str, Any]) -> Rows:
    rows = []
    for name, label in MEASURES.items():
        value, low, high, reason = (results[f"{name}{end}"] for end in ("", "_low", "_high", "_reason"))
        rows.append([label, "none" if value is None else f"{value:.3f}", reason if low is None else _limits(low, high)])
    return rows


def _bins(results: dict[str, Any]) -> list[tuple[int, int, float, float | None, float | None]]:
    names = ("position_from", "position_to", "bin_loss_nats", "bin_loss_nats_low", "bin_loss_nats_high")
    return list(zip(*(results[name] for name in names), strict=True))


def _bin_rows(results: dict[str, Any]) -> Rows:
    rows = []
    for first, last, value, low, high in _bins(results):
        positions = str(first) if first == last else f"{first} to {last}"
        rows.append([positions, f"{value:.3f}", "none" if low is None or high is None else _limits(low, high)])
    return rows


def draw_bins(results: dict[str, Any]) -> Figure:
    """Loss in log-spaced bins of context position, each at its geometric middle, with intervals as a band.

    Single positions are left out: each has as many losses as there are blocks, and their noise would hide the line.
    """
    # Small, so that its text can still be read where a phone makes it 330 pixels wide.
    figure = Figure(figsize=(4.8, 3.8), dpi=250, layout="constrained")
    ax = figure.add_subplot()
    middle = [math.sqrt(first * last) for first, last, *_ in _bins(results)]
    ax.plot(
        middle, results["bin_loss_nats"], color="#0072b2", marker="o", markersize=4, linewidth=1.8, label="mean of each group of positions"
    )
    if results["bin_loss_nats_low"][0] is not None:
        limits = results["bin_loss_nats_low"], results["bin_loss_nats_high"]
        ax.fill_between(middle, *limits, color="#0072b2", alpha=0.22, linewidth=0, label=f"{_percent(results)} interval over documents")
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlabel("Context position (tokens seen)")
    ax.set_ylabel("Loss (nats per token)")
    ax.grid(True, color="#e6e6e6", linewidth=0.8)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize=9)
    return figure


def build_app() -> gr.Blocks:
    """The page: what is given on the left, what comes out on the right; on a phone one under the other."""
    with gr.Blocks(title="Loss by context position") as app:
        gr.Markdown(INTRODUCTION)
        with gr.Row():
            with gr.Column(scale=2):
                text = gr.Textbox(
                    example_csv(),
                    lines=8,
                    max_lines=8,
                    label="Losses, pasted",
                    elem_id="pasted-losses",
                    info="To begin with: made-up lines that show the form.",
                    autoscroll=False,
                )
                file = gr.File(label="or a file, used instead of the lines above", file_types=[".csv", ".tsv", ".txt", ".json"], height=140)
                gr.Markdown(FORM)
                confidence = gr.Number(0.95, label="Confidence of the intervals", info="Between 0 and 1.", step=0.01)
                button = gr.Button("Compute", variant="primary")
            with gr.Column(scale=3):
                summary = gr.Markdown()
                chart = gr.Plot(show_label=False, format="png")
                table = gr.Dataframe(
                    headers=["Measure", "Value", "Interval"],
                    wrap=True,
                    interactive=False,
                    label="Results",
                    column_widths=["32%", "26%", "42%"],
                )
                gr.Markdown(READING)
                with gr.Accordion("By group of positions", open=False):
                    bins = gr.Dataframe(headers=["Positions", "Loss (nats)", "Interval"], wrap=True, interactive=False, show_label=False)
                with gr.Accordion("Everything the metric returns (JSON)", open=False):
                    everything = gr.JSON(show_label=False)
        inputs, outputs = [text, file, confidence], [summary, table, chart, bins, everything]
        # The page lays its error marks over charts and tables, not over text: a sentence of earlier losses would stay readable.
        cleared = button.click(lambda: "", None, summary, queue=False, api_visibility="private")
        cleared.then(compute, inputs, outputs, api_name="compute")
        app.load(compute, inputs, outputs, api_visibility="private")
    return app


def run_app() -> None:
    """Opens the page; on a Space, its app.py calls this."""
    build_app().launch(theme=THEME, css=CSS, max_file_size="20mb")


if __name__ == "__main__":
    run_app()
