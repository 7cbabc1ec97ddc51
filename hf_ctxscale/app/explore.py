"""explore: both charts of the figure for a study and a view, with the words under them; no gradio in it."""

from dataclasses import dataclass

import pyarrow as pa

from hf_ctxscale.analysis.bits_by_position import bits_by_position
from hf_ctxscale.app.chart_sentences import position_sentence, size_sentence
from hf_ctxscale.app.opened import OpenedStudy, kept_if_shipped
from hf_ctxscale.charts.chart_data import Axis, Chart, Panel
from hf_ctxscale.charts.chosen_scores import references, score_labels, shortened
from hf_ctxscale.charts.chosen_view import View, ViewChoices, chosen_charts, on_axes, view_choices
from hf_ctxscale.charts.study_charts import naming, study_charts
from hf_ctxscale.columns import RUNS_SCHEMA
from hf_ctxscale.reporting.sources import Row

CACHED = 256  # views of the shipped study
NO_SIZES = "There is nothing here to set against size."
WHOLE = "Of the whole study, in nats: "
NO_POSITIONS = "There is nothing here to set against position."


@dataclass(frozen=True)
class Explored:
    """Both charts and the words under each."""

    size: Chart
    position: Chart
    size_words: str
    position_words: str


@kept_if_shipped(CACHED)
def explore(opened: OpenedStudy, view: View) -> Explored:
    """Draws a view of a study.

    Raises:
        UserError: a table of the study is missing.
    """
    if not opened.has_runs:
        return _charts_without_runs(opened, view)
    rows, compared = _shown_rows(opened)
    table = pa.Table.from_pylist([{name: row[name] for name in RUNS_SCHEMA.names} for row in (*rows, *compared)], schema=RUNS_SCHEMA)
    records = [opened.scores[row["score_id"]] for row in compared]
    charts = chosen_charts(
        view,
        runs=table,
        positions=opened.positions,
        bits=lambda: bits_by_position(opened.study, [row["score_id"] for row in (*rows, *compared) if row["score_id"] in opened.scores]),
        fits=opened.fits,
        references=score_labels(compared, records=records),
    )
    corpus = shortened(opened.sources.corpus_name)
    return Explored(
        naming(charts.size, corpus),
        naming(charts.position, corpus),
        _joined(_of_the_whole(view, size_sentence(opened.sources)), charts.size_notes),
        _joined(_of_the_whole(view, position_sentence(opened.sources)), charts.position_notes),
    )


def choices_of(opened: OpenedStudy) -> ViewChoices:
    """What the study's measured runs can be chosen by."""
    return view_choices(opened.sources.measured)


def _shown_rows(opened: OpenedStudy) -> tuple[list[Row], list[Row]]:
    """Rows of the runs that charts show, and of scored models that stand beside them."""
    sources = opened.sources
    left_out = sources.rejected | sources.other_budgets
    wanted = {record.score_id for record in references(opened.study)}
    compared = [row for row in sources.others if row["run_id"] is None and row["score_id"] in wanted]
    return [row for row in sources.runs if row["run_id"] not in left_out], compared


def _charts_without_runs(opened: OpenedStudy, view: View) -> Explored:
    """Of numbers from elsewhere their own charts; of scored models alone the chart of what they do with their context."""
    charts = study_charts(opened.study)
    size = charts.get("loss_vs_parameters") or charts.get("loss_vs_data") or _empty("loss_vs_parameters", "Loss against size", NO_SIZES)
    position = charts.get("loss_vs_position") or charts.get("context_use") or _empty("loss_vs_position", "Loss by position", NO_POSITIONS)
    return Explored(
        on_axes(size, x_log=view.size_x_log, y_log=view.size_y_log),
        on_axes(position, x_log=view.position_x_log, y_log=view.position_y_log),
        size_sentence(opened.sources) if size.panels[0].marks else NO_SIZES,
        position_sentence(opened.sources) if position.panels[0].marks else NO_POSITIONS,
    )


def _empty(name: str, title: str, words: str) -> Chart:
    return Chart(name, title, "", (Panel(Axis("", log=True), Axis("Loss"), (), empty=words),))


def _of_the_whole(view: View, sentence: str) -> str:
    """Claims are about the whole study and in nats: said where the charts show some of it, or another unit."""
    chosen = (view.families, view.depths, view.sizes, view.seeds) != (None,) * 4 or view.unit != "nats"
    return f"{WHOLE}{sentence}" if chosen and sentence else sentence


def _joined(sentence: str, notes: tuple[str, ...]) -> str:
    return " ".join(part for part in (sentence, *notes) if part)
