"""draw_study: every chart of a study as SVG, PNG and PDF, from the study's files alone; draw_score: the chart of one score's card."""

from collections.abc import Sequence
from functools import partial
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import Any

import matplotlib.style

from hf_ctxscale.charts.chart_data import Chart
from hf_ctxscale.charts.matplotlib_chart import draw_chart
from hf_ctxscale.charts.study_charts import ORDER, Style, score_chart, study_charts
from hf_ctxscale.charts.style import PNG_DPI, STYLE
from hf_ctxscale.files import write_aside
from hf_ctxscale.study import Study

# What keeps dates and versions out of the files: the same chart gives the same bytes.
OPTIONS: dict[str, dict[str, Any]] = {
    "svg": {"metadata": {"Date": None, "Creator": None}},
    "png": {"metadata": {"Software": None}, "dpi": PNG_DPI},
    "pdf": {"metadata": {"CreationDate": None, "Creator": None, "Producer": None}},
}
_ONE_AT_A_TIME = Lock()


def draw_study(study: Study, *, style: Style = "modern", paper: bool = False) -> tuple[Path, ...]:
    """Draws charts/NAME.svg, .png and .pdf for every chart, in the order in which a report shows them; the same tables give the same bytes.

    Charts that an earlier call drew and this one does not, are removed: they would show older numbers.

    Args:
        style: figure7 adds a chart in the form of the paper's figure.
        paper: whether the paper's values stand beside the study's, labelled as approximate.

    Raises:
        UserError: a table of results is missing, or fits.json cannot be read.
    """
    charts = study_charts(study, style=style, paper=paper)
    for name in set(ORDER) - set(charts):
        for form in OPTIONS:
            (study.charts / f"{name}.{form}").unlink(missing_ok=True)
    return tuple(path for name, chart in charts.items() for path in save_chart(chart, study.charts / name, forms=tuple(OPTIONS)))


def draw_score(study: Study, score_id: str) -> tuple[Path, ...]:
    """Draws scores/SCORE_ID/context_use.svg and .png for the score's card, with the ablation where there is one.

    Raises:
        UserError: a table of results is missing, or does not hold the score.
    """
    return save_chart(score_chart(study, score_id), study.scores / score_id / "context_use", forms=("svg", "png"))


def save_chart(chart: Chart, path: Path, *, forms: Sequence[str]) -> tuple[Path, ...]:
    """Draws a chart and writes it in every form: ``path`` with .svg, .png or .pdf behind its name."""
    files = tuple(path.with_name(f"{path.name}.{form}") for form in forms)
    for file, drawn in zip(files, drawn_forms(chart, forms=forms), strict=True):
        write_aside(file, partial(_write_bytes, drawn))
    return files


def drawn_forms(chart: Chart, *, forms: Sequence[str]) -> tuple[bytes, ...]:
    """The contents of a chart's files: the drawing as svg, png or pdf, one for each of ``forms``.

    The layout is made once and then held: each form would move it a little otherwise.
    """
    # A user's own matplotlib settings would give the same study other charts; the context restores them, for all threads at once.
    with _ONE_AT_A_TIME, matplotlib.style.context(["default", STYLE]):
        figure = draw_chart(chart)
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        contents = []
        for form in forms:
            drawn = BytesIO()
            figure.savefig(drawn, format=form, **OPTIONS[form])
            contents.append(drawn.getvalue())
    return tuple(contents)


def _write_bytes(data: bytes, path: Path) -> None:
    path.write_bytes(data)
