"""draw_study: every chart of a study as SVG and PNG, from the study's files alone."""

import json
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib.style
import pyarrow as pa
from matplotlib.axes import Axes

from hf_ctxscale.charts.loss_vs_parameters import draw_loss_vs_parameters
from hf_ctxscale.charts.loss_vs_position import draw_loss_vs_position
from hf_ctxscale.charts.loss_vs_tokens import draw_loss_vs_tokens
from hf_ctxscale.charts.series import rejected_trials
from hf_ctxscale.charts.style import PNG_DPI, STYLE, figure_of
from hf_ctxscale.files import read_table, write_aside
from hf_ctxscale.study import FITS_FORMAT, Study, UserError


def draw_study(study: Study) -> tuple[Path, ...]:
    """Draws charts/NAME.svg and .png for every chart, in the order in which a report shows them; the same tables give the same bytes.

    Raises:
        UserError: a table of results is missing, or fits.json cannot be read.
    """
    runs = read_table(study.results_file("runs"))
    positions = read_table(study.results_file("positions"))
    fits = read_fits(study)
    runs = _without_rejected_trials(runs, fits)
    run_ids = [run_id for run_id in runs["run_id"].to_pylist() if run_id is not None]
    histories = {run_id: read_table(study.history_file(run_id)) for run_id in run_ids if study.history_file(run_id).is_file()}
    charts: dict[str, Callable[[], Axes]] = {
        "loss_vs_parameters": lambda: draw_loss_vs_parameters(runs, fits),
        "loss_vs_position": lambda: draw_loss_vs_position(runs, positions),
        "loss_vs_tokens": lambda: draw_loss_vs_tokens(runs, histories),
    }
    return tuple(path for name, draw in charts.items() for path in _save(draw, study.charts / name))


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


def _without_rejected_trials(runs: pa.Table, fits: dict[str, Any]) -> pa.Table:
    rows = runs.to_pylist()
    rejected = rejected_trials(rows, fits)
    return pa.Table.from_pylist([row for row in rows if row["run_id"] not in rejected], schema=runs.schema)


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
