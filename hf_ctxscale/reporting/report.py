"""write_report: report.html, one file that needs nothing beside it, and report.md, from the same contents."""

import re
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup, escape

from hf_ctxscale.files import write_text
from hf_ctxscale.reporting import words
from hf_ctxscale.reporting.render import render
from hf_ctxscale.reporting.setup import Pair, setup_rows
from hf_ctxscale.reporting.sources import Sources, read_sources
from hf_ctxscale.reporting.tables import Table, claims_table, position_fits_table, runs_table, scored_table, size_fits_table
from hf_ctxscale.study import Study, UserError

CHARTS_OF_RUNS = ("loss_vs_parameters", "loss_vs_position", "loss_vs_tokens")
CHART_OF_SCORES = "context_use"  # where an ablation was made, or the study holds scores alone


@dataclass(frozen=True)
class Chart:
    """A drawn chart with its words. ``svg`` is markup made by charts/draw.py."""

    name: str
    caption: str
    alternative_text: str
    svg: Markup


@dataclass(frozen=True)
class Report:
    """What both forms of the report show, in their order."""

    title: str
    has_runs: bool
    result: str
    verdicts: str
    charts: dict[str, Chart]
    claims: Table
    how_to_read: tuple[str, ...]
    setup: tuple[Pair, ...]
    runs: Table
    scored: Table
    size_fits: Table
    position_fits: Table
    notes: tuple[str, ...]


def write_report(study: Study) -> Path:
    """Writes report.html with its charts inside, and report.md that links to charts/*.png.

    Returns:
        the path of report.html; report.md lies beside it.

    Raises:
        UserError: results or charts are missing.
    """
    report = build_report(study)
    for form in ("md", "html"):
        write_text(study.folder / f"report.{form}", render(f"report.{form}.j2", report=report))
    return study.folder / "report.html"


def build_report(study: Study) -> Report:
    """Everything that a report says, from the study's files.

    Raises:
        UserError: results or charts are missing.
    """
    sources = read_sources(study)
    return Report(
        title=f"{'Loss, size and context' if sources.has_runs else 'Loss and context'}: {sources.settings.get('name') or study.folder.resolve().name}",
        has_runs=sources.has_runs,
        result=words.result_sentence(sources),
        verdicts=words.verdict_sentence(sources),
        charts=_charts(study, sources),
        claims=claims_table(sources),
        how_to_read=words.how_to_read(sources),
        setup=setup_rows(sources),
        runs=runs_table(sources),
        scored=scored_table(sources),
        size_fits=size_fits_table(sources),
        position_fits=position_fits_table(sources),
        notes=tuple(sources.fits.get("notes") or ()),
    )


def _charts(study: Study, sources: Sources) -> dict[str, Chart]:
    captions, alternative_texts = words.captions(sources), words.alternative_texts(sources)
    charts = {}
    for name in (*CHARTS_OF_RUNS, CHART_OF_SCORES):
        path = study.charts / f"{name}.svg"
        needed = sources.has_runs == (name in CHARTS_OF_RUNS)
        if not needed and not (name == CHART_OF_SCORES and path.is_file()):
            continue
        if not path.is_file():
            raise UserError(f"{path} does not exist; draw it with `hf-ctxscale draw {study.folder}`.")
        svg = inline_svg(path.read_text(encoding="utf-8"), name=name, alternative_text=alternative_texts[name])
        charts[name] = Chart(name, captions[name], alternative_texts[name], svg)
    return charts


def inline_svg(svg: str, *, name: str, alternative_text: str) -> Markup:
    """A chart's SVG file as an element of a page: without prolog and metadata, as wide as its place, with ids and styles of its own."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    # Three drawings on one page must not share ids, and a rule for every element of a drawing must not reach the page.
    body = re.sub(r'(\bid="|href="#|url\(#)', lambda found: f"{found[0]}{name}-", body)
    body = body.replace("*{", f"#{name} *{{")
    head, rest = body.split(">", 1)
    head = re.sub(r'\s(width|height|id|version)="[^"]*"', "", head)
    return Markup(f'{head} id="{name}" role="img" aria-label="{escape(alternative_text)}">{rest}')
