"""ChartBlock: a chart on the page with all that belongs to it: its sentence, text for screen readers, the table behind it, and downloads."""

import base64
import json
from html import escape
from typing import Any
from weakref import WeakKeyDictionary

import gradio as gr
from gradio.blocks import Block
from gradio.components.plot import PlotData

from hf_ctxscale.app.chart_table import DIGITS, Cell, ChartTable, chart_rows, table_csv
from hf_ctxscale.app.errors import shown
from hf_ctxscale.app.screen import Screen, shown_parts
from hf_ctxscale.charts.chart_data import Chart
from hf_ctxscale.charts.draw import drawn_forms
from hf_ctxscale.study import UserError

TYPES = {"png": "image/png", "svg": "image/svg+xml", "csv": "text/csv"}
CONFIG = {"displaylogo": False, "showTips": False, "modeBarButtonsToRemove": ["toImage", "select2d", "lasso2d", "autoScale2d"]}
# The browser makes the file of what it is sent, so that none is written on the server.
SAVE = """(file) => {
  const bytes = Uint8Array.from(atob(file.base64), (letter) => letter.charCodeAt(0));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([bytes], { type: file.type }));
  link.download = file.name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}"""


# Charts as the page takes them. Charts of the shipped study are held by caches of their own; those of a visitor by his session alone.
_MADE: WeakKeyDictionary[Chart, dict[Screen, tuple[str, str, str]]] = WeakKeyDictionary()


class ChartBlock:
    """The components of one chart, made where it is called.

    Attributes:
        outputs: what ``values`` fills.
    """

    outputs: tuple[Block, ...]

    def __init__(self, name: str, *, label: str):
        """Makes the components.

        Args:
            name: of the chart on the page: letters and hyphens; ids begin with it.
            label: what the chart is called where its table and downloads are.
        """
        with gr.Column(elem_classes="chart-block") as frame:
            plot = gr.Plot(show_label=False, container=False, elem_id=f"{name}-chart")
            words = gr.HTML(elem_id=f"{name}-words")
            with gr.Row(elem_classes="downloads"):
                buttons = {form: gr.Button(f"Save {form.upper()}", size="sm", min_width=90, elem_id=f"{name}-{form}") for form in TYPES}
            with gr.Accordion(f"Table: {label}", open=False, elem_id=f"{name}-numbers"):
                table = gr.HTML(elem_id=f"{name}-table")
            # Not by `visible`: what makes the column seen again would make it seen too.
            drawn, file = gr.State(), gr.JSON(elem_classes="carried")
        for form, button in buttons.items():
            made = button.click(_saver(form), drawn, file, queue=False, show_progress="hidden", api_visibility="private")
            made.success(None, file, js=SAVE, api_visibility="private")
        self._name = name
        self.outputs = (plot, words, table, drawn, frame)

    def values(self, chart: Chart, *, screen: Screen, sentence: str = "") -> tuple[Any, ...]:
        """What fills the outputs with a chart.

        Args:
            chart: to be shown.
            screen: of the visitor.
            sentence: plain text under the chart: what it shows.
        """
        plot, text, table = _shown(chart, screen)
        said = f'<p class="sentence">{escape(sentence)}</p>' if sentence else ""
        words = f'{said}<p id="{self._name}-text" class="for-screen-readers">{escape(text)}</p>'
        return PlotData(type="plotly", plot=plot), words, table, chart, gr.Column(visible=True)

    def nothing(self) -> tuple[Any, ...]:
        """What fills the outputs where there is no chart: an empty frame with buttons would be in the way."""
        return None, "", "", None, gr.Column(visible=False)


def _shown(chart: Chart, screen: Screen) -> tuple[str, str, str]:
    """What `_made` makes, made once for as long as somebody holds the chart."""
    made = _MADE.setdefault(chart, {})
    if screen not in made:
        made[screen] = _made(chart, screen)
    return made[screen]


def _made(chart: Chart, screen: Screen) -> tuple[str, str, str]:
    """A chart's figure as JSON, its text for screen readers, and its table as HTML."""
    figure = shown_parts(chart, screen=screen) | {"config": CONFIG | {"displayModeBar": False} if screen.narrow else CONFIG}
    table = chart_rows(chart)
    text = chart.alternative_text or f"{chart.title}. {chart.subtitle.replace(chr(10), '; ')}."
    return (
        json.dumps(figure),
        f"{text} The table under the chart holds its {len(table.rows)} points.",
        table_html(table, caption=chart.title),
    )


def table_html(table: ChartTable, *, caption: str) -> str:
    """The table as HTML, in a frame that scrolls by itself and can be reached with the keyboard."""
    head = "".join(f'<th scope="col">{escape(header)}</th>' for header in table.headers)
    body = "".join(f"<tr>{''.join(map(_cell_html, row))}</tr>" for row in table.rows)
    frame = f'<div class="numbers" role="region" tabindex="0" aria-label="{escape(caption)}">'
    return f"{frame}<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def _cell_html(cell: Cell) -> str:
    if cell is None:
        return "<td></td>"
    return f"<td>{escape(cell)}</td>" if isinstance(cell, str) else f'<td class="number">{cell:,.{DIGITS}g}</td>'


def saved_file(chart: Chart | None, form: str) -> dict[str, str]:
    """A chart as a file: name, type, and content in base64.

    Args:
        chart: what is on the page; None before there is one.
        form: png, svg or csv.

    Raises:
        UserError: there is no chart yet.
    """
    if chart is None:
        raise UserError("There is no chart to save yet; wait until it is drawn.")
    content = table_csv(chart_rows(chart)).encode() if form == "csv" else drawn_forms(chart, forms=(form,))[0]
    return {"name": f"{chart.name}.{form}", "type": TYPES[form], "base64": base64.b64encode(content).decode()}


def _saver(form: str) -> Any:
    @shown
    def save(chart: Chart | None) -> dict[str, str]:
        return saved_file(chart, form)

    return save
