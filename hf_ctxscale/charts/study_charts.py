"""study_charts: every chart of a study as data, in the order in which a report shows them; score_chart: the one of a score's card."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import pyarrow as pa

from hf_ctxscale.analysis.measured import main_scores
from hf_ctxscale.charts.chart_data import Chart
from hf_ctxscale.charts.chosen_scores import (
    has_runs,
    references,
    rows_of_main_scores,
    score_labels,
    scores_of_context_use,
    shortened,
)
from hf_ctxscale.charts.context_use import context_use_chart
from hf_ctxscale.charts.data_residuals import data_residuals_chart
from hf_ctxscale.charts.excess_over_best import excess_over_best_chart
from hf_ctxscale.charts.figure7 import figure7_chart
from hf_ctxscale.charts.fit_residuals import position_residuals_chart, size_residuals_chart
from hf_ctxscale.charts.learning_rates import learning_rates_chart
from hf_ctxscale.charts.loss_vs_compute import loss_vs_flops_chart, loss_vs_seconds_chart, loss_vs_total_parameters_chart
from hf_ctxscale.charts.loss_vs_parameters import loss_vs_parameters_chart
from hf_ctxscale.charts.loss_vs_position import loss_vs_position_chart
from hf_ctxscale.charts.loss_vs_tokens import loss_vs_tokens_chart
from hf_ctxscale.charts.paired_difference import paired_difference_chart
from hf_ctxscale.charts.profiles import profiles_chart
from hf_ctxscale.charts.series import Row, other_budgets, rejected_trials
from hf_ctxscale.charts.size_and_data import loss_vs_data_chart
from hf_ctxscale.charts.table_charts import table_charts
from hf_ctxscale.files import read_table
from hf_ctxscale.records import ScoreRecord
from hf_ctxscale.study import FITS_FORMAT, Study, UserError

WINDOWS_IN_WORDS = {
    "within": "windows inside documents",
    "start": "windows from documents' starts",
    "packed": "windows of packed documents",
}

# In the report's order.
ORDER = (
    "loss_vs_parameters",
    "loss_vs_position",
    "context_use",
    "paired_difference",
    "loss_vs_total_parameters",
    "loss_vs_flops",
    "loss_vs_seconds",
    "loss_vs_data",
    "excess_over_best",
    "loss_vs_tokens",
    "learning_rates",
    "size_residuals",
    "data_residuals",
    "position_residuals",
    "profiles",
    "figure7",
)

Style = Literal["modern", "figure7"]


@dataclass(frozen=True)
class _Tables:
    runs: pa.Table
    positions: pa.Table
    ablation: pa.Table | None  # None: written by a version that made none


def study_charts(study: Study, *, style: Style = "modern", paper: bool = False) -> dict[str, Chart]:
    """Every chart that the study has something for, by name.

    A study that holds scores alone has only the chart of context use; one that trained models has it where an ablation was made.
    Numbers from elsewhere have the charts of their fits.

    Args:
        style: figure7 adds a chart in the form of the paper's figure.
        paper: whether the paper's values stand beside the study's, labelled as approximate: in the paper's form where it is drawn.

    Raises:
        UserError: a table of results is missing, or fits.json cannot be read.
    """
    fits = read_fits(study)
    if study.table_file.is_file() and not study.begun:
        return table_charts(fits)
    tables = _read_tables(study)
    rows = tables.runs.to_pylist()
    charts = _charts_of_runs(study, tables, fits, style=style, paper=paper) if has_runs(study, rows) else {}
    chosen = scores_of_context_use(study, runs=rows, cut=_score_ids(tables.ablation))
    if chosen.score_ids:
        charts["context_use"] = _context_use(study, tables, chosen.score_ids, left_out=chosen.left_out)
    measured = next(iter(main_scores(study).values()), None)
    return {
        name: naming(chart, shortened(measured.corpus) if measured else "") for name in ORDER if (chart := charts.get(name)) is not None
    }


def naming(chart: Chart, corpus: str) -> Chart:
    """The chart with its corpus in the subtitle, for whoever sees the drawing alone; before the training tokens where it names them."""
    if not corpus or corpus in chart.subtitle:
        return chart
    joint = " · " if " training tokens" in chart.subtitle.split("\n")[0] else "\n"
    return replace(chart, subtitle=f"{corpus}{joint}{chart.subtitle}" if chart.subtitle else corpus)


def score_chart(study: Study, score_id: str) -> Chart:
    """The chart of one score's card, with the ablation where there is one.

    Raises:
        UserError: a table of results is missing, or does not hold the score.
    """
    tables = _read_tables(study)
    if score_id not in _score_ids(tables.positions):
        raise UserError(
            f"{study.results_file('positions')} holds no score {score_id!r}; write it anew with `hf-ctxscale analyse {study.folder}`."
        )
    return _context_use(study, tables, (score_id,))


def read_fits(study: Study) -> dict[str, Any]:
    """What results/fits.json holds; empty where nothing was fitted yet.

    Raises:
        UserError: it is not JSON, or of another format.
    """
    path = study.fits_file
    if not path.is_file():
        return {}
    try:
        fits = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path} is not valid JSON ({error}); write it again with `hf-ctxscale analyse {study.folder}`.") from None
    found = fits.get("format") if isinstance(fits, dict) else None
    if found != FITS_FORMAT:
        raise UserError(
            f"{path} has format {found!r}; this version reads {FITS_FORMAT}. Write it again with `hf-ctxscale analyse {study.folder}`."
        )
    return fits


def _read_tables(study: Study) -> _Tables:
    ablation = study.results_file("ablation")
    return _Tables(
        runs=read_table(study.results_file("runs")),
        positions=read_table(study.results_file("positions")),
        ablation=read_table(ablation) if ablation.is_file() else None,
    )


def _score_ids(table: pa.Table | None) -> frozenset[str]:
    return frozenset(table["score_id"].to_pylist()) if table is not None else frozenset()


def _charts_of_runs(study: Study, tables: _Tables, fits: Mapping[str, Any], *, style: Style, paper: bool) -> dict[str, Chart | None]:
    rows = tables.runs.to_pylist()
    left_out = rejected_trials(rows, fits) | other_budgets(rows, fits)
    drawn = [row for row in rows_of_main_scores(study, rows) if row["run_id"] not in left_out]
    compared = references(study)
    labels = score_labels(_rows_of(rows, compared), records=compared)
    runs, with_compared = (pa.Table.from_pylist(own, schema=tables.runs.schema) for own in (drawn, [*drawn, *_rows_of(rows, compared)]))
    # The paper's own form holds its values where it is drawn.
    beside = paper and style == "modern"
    return {
        "loss_vs_parameters": loss_vs_parameters_chart(runs, fits, paper=beside),
        "loss_vs_position": loss_vs_position_chart(with_compared, tables.positions, fits, references=labels, paper=beside),
        "paired_difference": paired_difference_chart(fits),
        "loss_vs_total_parameters": loss_vs_total_parameters_chart(runs, fits),
        "loss_vs_flops": loss_vs_flops_chart(runs, fits),
        "loss_vs_seconds": loss_vs_seconds_chart(runs, fits),
        "loss_vs_data": loss_vs_data_chart(fits),
        "excess_over_best": excess_over_best_chart(runs, fits),
        "loss_vs_tokens": loss_vs_tokens_chart(runs, _histories(study, drawn)),
        "learning_rates": learning_rates_chart(tables.runs),
        "size_residuals": size_residuals_chart(fits),
        "data_residuals": data_residuals_chart(fits),
        "position_residuals": position_residuals_chart(runs, fits),
        "profiles": profiles_chart(fits),
        "figure7": figure7_chart(runs, tables.positions, paper=paper) if style == "figure7" else None,
    }


def _histories(study: Study, rows: Sequence[Row]) -> dict[str, pa.Table]:
    paths = {row["run_id"]: study.history_file(row["run_id"]) for row in rows}
    return {run_id: read_table(path) for run_id, path in paths.items() if path.is_file()}


def _context_use(study: Study, tables: _Tables, score_ids: Sequence[str], *, left_out: str | None = None) -> Chart:
    records = [record for record in study.score_records() if record.score_id in score_ids]
    labels = score_labels(_rows_of(tables.runs.to_pylist(), records), records=records)
    note = "\n".join(line for line in (_measured_on(records[0]) if records else None, left_out) if line)
    return context_use_chart(tables.runs, tables.positions, tables.ablation, score_ids=score_ids, labels=labels, note=note)


def _measured_on(record: ScoreRecord) -> str:
    split = "" if record.split == "whole" else f", {record.split} split"
    return f"{shortened(record.corpus)}{split} · {WINDOWS_IN_WORDS[record.windows]}"


def _rows_of(rows: Sequence[Row], records: Sequence[ScoreRecord]) -> list[Row]:
    score_ids = {record.score_id for record in records}
    return [row for row in rows if row["score_id"] in score_ids]
