"""chart_api: both charts of the figure as numbers, for programs: the rows of the table behind the chart, and its sentence."""

from collections.abc import Collection
from typing import Any, TypeVar

import gradio as gr

from hf_ctxscale.app.chart_table import chart_rows
from hf_ctxscale.app.errors import shown
from hf_ctxscale.app.explore import choices_of, explore
from hf_ctxscale.app.opened import Library
from hf_ctxscale.app.view import UNITS, X
from hf_ctxscale.charts.chart_data import Chart
from hf_ctxscale.charts.chosen_view import View, ViewChoices
from hf_ctxscale.study import UserError

T = TypeVar("T")


def chart_api(library: Library) -> None:
    """Adds the endpoints ``size_chart`` and ``position_chart``, which read the shipped study."""

    @shown
    def size_chart(
        x: str = "body",
        unit: str = "nats",
        families: list[str] | None = None,
        depths: list[int] | None = None,
        sizes: list[str] | None = None,
        seeds: list[int] | None = None,
    ) -> dict:
        """Test loss of every trained model against its size or cost, with 95 % intervals, and the result in a sentence.

        Args:
            x: body, total (parameters), flops or seconds (of training).
            unit: nats (per token) or bits (per byte).
            families: architectures such as lstm and gpt2; all of them where none is given.
            depths: numbers of layers; all of them where none is given.
            sizes: such as 26K; all of them where none is given.
            seeds: of training; all of them where none is given.
        """
        opened = library.open(Library.SHIPPED)
        drawn = explore(opened, asked_view(choices_of(opened), x=x, unit=unit, families=families, depths=depths, sizes=sizes, seeds=seeds))
        return chart_data(drawn.size, sentence=drawn.size_words)

    @shown
    def position_chart(
        unit: str = "nats",
        families: list[str] | None = None,
        depths: list[int] | None = None,
        sizes: list[str] | None = None,
        seeds: list[int] | None = None,
    ) -> dict:
        """Test loss of every trained model by position in the context, with 95 % intervals, and the result in a sentence.

        Args:
            unit: nats (per token) or bits (per byte).
            families: architectures such as lstm and gpt2; all of them where none is given.
            depths: numbers of layers; all of them where none is given.
            sizes: such as 26K; all of them where none is given.
            seeds: of training; all of them where none is given.
        """
        opened = library.open(Library.SHIPPED)
        drawn = explore(opened, asked_view(choices_of(opened), unit=unit, families=families, depths=depths, sizes=sizes, seeds=seeds))
        return chart_data(drawn.position, sentence=drawn.position_words)

    gr.api(size_chart, api_name="size_chart", concurrency_limit=None)
    gr.api(position_chart, api_name="position_chart", concurrency_limit=None)


def asked_view(
    choices: ViewChoices,
    *,
    x: str = "body",
    unit: str = "nats",
    families: list[str] | None = None,
    depths: list[int] | None = None,
    sizes: list[str] | None = None,
    seeds: list[int] | None = None,
) -> View:
    """The view that a program asks for.

    Raises:
        UserError: something is asked for that the study does not have.
    """
    _check("x", [x], X)
    _check("unit", [unit], UNITS)
    asked = {"families": families, "depths": depths, "sizes": sizes, "seeds": seeds}
    for name, wanted in asked.items():
        _check(name, wanted or [], getattr(choices, name))
    chosen: dict[str, Any] = {name: tuple(wanted) for name, wanted in asked.items() if wanted}
    return View(x=X[x], unit=UNITS[unit], **chosen)


def _check(name: str, wanted: Collection[T], allowed: Collection[T]) -> None:
    for one in wanted:
        if one not in allowed:
            raise UserError(f"{name} holds {str(one)[:60]!r}; allowed: {', '.join(map(str, allowed))}.")


def chart_data(chart: Chart, *, sentence: str) -> dict[str, Any]:
    """A chart's title, sentence and table as JSON has it."""
    table = chart_rows(chart)
    return {"title": chart.title, "sentence": sentence, "columns": list(table.headers), "rows": [list(row) for row in table.rows]}
