"""draw_study: every chart of a study as SVG and PNG, from the study's files alone; draw_score: the chart of one score's card."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib.style
import pyarrow as pa
from matplotlib.axes import Axes

from hf_ctxscale.charts.chosen_scores import has_runs, references, rows_of_main_scores, score_labels, scores_of_context_use, shortened
from hf_ctxscale.charts.context_use import draw_context_use
from hf_ctxscale.charts.loss_vs_parameters import draw_loss_vs_parameters
from hf_ctxscale.charts.loss_vs_position import draw_loss_vs_position
from hf_ctxscale.charts.loss_vs_tokens import draw_loss_vs_tokens
from hf_ctxscale.charts.series import Row, rejected_trials
from hf_ctxscale.charts.style import PNG_DPI, STYLE, figure_of
from hf_ctxscale.files import read_table, write_aside
from hf_ctxscale.study import FITS_FORMAT, ScoreRecord, Study, UserError

WINDOWS_IN_WORDS = {
    "within": "windows inside documents",
    "start": "windows from documents' starts",
    "packed": "windows of packed documents",
}

Charts = dict[str, Callable[[], Axes]]


@dataclass(frozen=True)
class _Tables:
    runs: pa.Table
    positions: pa.Table
    ablation: pa.Table | None  # None: written by a version that made none


def draw_study(study: Study) -> tuple[Path, ...]:
    """Draws charts/NAME.svg and .png for every chart, in the order in which a report shows them; the same tables give the same bytes.

    A study that holds scores alone has only the chart of context use; one that trained models has it where an ablation was made.

    Raises:
        UserError: a table of results is missing, or fits.json cannot be read.
    """
    tables = _read_tables(study)
    charts = _charts_of_runs(study, tables) if has_runs(study, tables.runs.to_pylist()) else {}
    chosen = scores_of_context_use(study, runs=tables.runs.to_pylist(), cut=_score_ids(tables.ablation))
    if chosen.score_ids:
        charts["context_use"] = _context_use(study, tables, chosen.score_ids, left_out=chosen.left_out)
    return tuple(path for name, draw in charts.items() for path in _save(draw, study.charts / name))


def draw_score(study: Study, score_id: str) -> tuple[Path, ...]:
    """Draws scores/SCORE_ID/context_use.svg and .png for the score's card, with the ablation where there is one.

    Raises:
        UserError: a table of results is missing, or does not hold the score.
    """
    tables = _read_tables(study)
    if score_id not in _score_ids(tables.positions):
        raise UserError(
            f"{study.results_file('positions')} holds no score {score_id!r}; write it anew with `hf-ctxscale analyse {study.folder}`."
        )
    return _save(_context_use(study, tables, (score_id,)), study.scores / score_id / "context_use")


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


def _charts_of_runs(study: Study, tables: _Tables) -> Charts:
    fits = read_fits(study)
    rows = tables.runs.to_pylist()
    rejected = rejected_trials(rows, fits)
    drawn = [row for row in rows_of_main_scores(study, rows) if row["run_id"] not in rejected]
    histories = {row["run_id"]: study.history_file(row["run_id"]) for row in drawn}
    histories = {run_id: read_table(path) for run_id, path in histories.items() if path.is_file()}
    compared = references(study)
    labels = score_labels(_rows_of(rows, compared), records=compared)
    runs, with_compared = (pa.Table.from_pylist(own, schema=tables.runs.schema) for own in (drawn, [*drawn, *_rows_of(rows, compared)]))
    return {
        "loss_vs_parameters": lambda: draw_loss_vs_parameters(runs, fits),
        "loss_vs_position": lambda: draw_loss_vs_position(with_compared, tables.positions, references=labels),
        "loss_vs_tokens": lambda: draw_loss_vs_tokens(runs, histories),
    }


def _context_use(study: Study, tables: _Tables, score_ids: Sequence[str], *, left_out: str | None = None) -> Callable[[], Axes]:
    records = [record for record in study.score_records() if record.score_id in score_ids]
    labels = score_labels(_rows_of(tables.runs.to_pylist(), records), records=records)
    note = "\n".join(line for line in (_measured_on(records[0]) if records else None, left_out) if line)
    return lambda: draw_context_use(tables.runs, tables.positions, tables.ablation, score_ids=score_ids, labels=labels, note=note)


def _measured_on(record: ScoreRecord) -> str:
    split = "" if record.split == "whole" else f", {record.split} split"
    return f"{shortened(record.corpus)}{split} · {WINDOWS_IN_WORDS[record.windows]}"


def _rows_of(rows: Sequence[Row], records: Sequence[ScoreRecord]) -> list[Row]:
    score_ids = {record.score_id for record in records}
    return [row for row in rows if row["score_id"] in score_ids]


def _save(draw: Callable[[], Axes], path: Path) -> tuple[Path, Path]:
    """Draws once per format: a figure keeps the layout of its first saving, which would make the second depend on it."""
    options: dict[str, dict[str, Any]] = {
        "svg": {"metadata": {"Date": None, "Creator": None}},
        "png": {"metadata": {"Software": None}, "dpi": PNG_DPI},
    }
    svg, png = (path.with_suffix(f".{form}") for form in options)
    # A user's own matplotlib settings would give the same study other charts; the context restores them.
    with matplotlib.style.context(["default", STYLE]):
        for file, (form, choices) in zip((svg, png), options.items(), strict=True):
            drawn = BytesIO()
            figure_of(draw()).savefig(drawn, format=form, **choices)
            write_aside(file, partial(_write_bytes, drawn.getvalue()))
    return svg, png


def _write_bytes(data: bytes, path: Path) -> None:
    path.write_bytes(data)
