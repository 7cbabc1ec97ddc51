"""write_report: report.html, one file that needs nothing beside it, and report.md, from the same contents."""

import re
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup, escape

from hf_ctxscale.charts.chart_data import Chart
from hf_ctxscale.charts.study_charts import Style, study_charts
from hf_ctxscale.files import write_text
from hf_ctxscale.reporting import words
from hf_ctxscale.reporting.captions import alternative_text, caption
from hf_ctxscale.reporting.citations import bibtex
from hf_ctxscale.reporting.commands import commands, settings_text
from hf_ctxscale.reporting.live_charts import live_scripts, packed_figure
from hf_ctxscale.reporting.methods import methods_paragraph, software_version
from hf_ctxscale.reporting.render import TEMPLATES, render
from hf_ctxscale.reporting.sections import Section, result_sections, run_sections
from hf_ctxscale.reporting.setup import Pair, setup_rows
from hf_ctxscale.reporting.sources import Sources, read_sources
from hf_ctxscale.study import Study, UserError

# What a reader wants to see first; the other charts are a click away.
FIRST_CHARTS = ("loss_vs_parameters", "loss_vs_position", "context_use", "paired_difference", "loss_vs_data", "figure7")


@dataclass(frozen=True)
class ShownChart:
    """A chart with its words.

    Attributes:
        svg: the still drawing, markup made by charts/draw.py.
        figure: the live one, packed.
    """

    name: str
    title: str
    caption: str
    alternative_text: str
    svg: Markup
    figure: str


@dataclass(frozen=True)
class Report:
    """What both forms of the report show, in their order."""

    title: str
    result: str
    verdicts: str
    charts: tuple[ShownChart, ...]
    more_charts: tuple[ShownChart, ...]
    sections: tuple[Section, ...]
    how_to_read: tuple[str, ...]
    setup: tuple[Pair, ...]
    run_sections: tuple[Section, ...]
    commands: str
    settings: str
    methods: str
    bibtex: str
    notes: tuple[str, ...]


def write_report(study: Study, *, style: Style = "modern", paper: bool = False) -> Path:
    """Writes report.html with its charts inside, and report.md that links to charts/*.png.

    Args:
        style: the one that the charts were drawn in, as of charts/draw.py: draw_study.
        paper: likewise whether the paper's values stand beside the study's.

    Returns:
        the path of report.html; report.md lies beside it.

    Raises:
        UserError: results or charts are missing.
    """
    report = build_report(study, style=style, paper=paper)
    write_text(study.folder / "report.md", render("report.md.j2", report=report))
    css = Markup((TEMPLATES / "report.css").read_text(encoding="utf-8"))
    write_text(study.folder / "report.html", render("report.html.j2", report=report, css=css, scripts=live_scripts()))
    return study.folder / "report.html"


def build_report(study: Study, *, style: Style = "modern", paper: bool = False) -> Report:
    """Everything that a report says, from the study's files.

    Raises:
        UserError: results or charts are missing.
    """
    sources = read_sources(study)
    charts = [_shown(study, sources, chart) for chart in study_charts(study, style=style, paper=paper).values()]
    methods = methods_paragraph(sources)
    return Report(
        title=f"{_kind(sources)}: {sources.name}",
        result=words.result_sentence(sources),
        verdicts=words.verdict_sentence(sources),
        charts=tuple(chart for chart in charts if chart.name in FIRST_CHARTS),
        more_charts=tuple(chart for chart in charts if chart.name not in FIRST_CHARTS),
        sections=result_sections(sources),
        how_to_read=words.how_to_read(sources),
        setup=setup_rows(sources),
        run_sections=run_sections(sources),
        commands="\n".join(commands(sources)),
        settings=settings_text(study),
        methods=methods,
        bibtex=bibtex(methods, version=software_version()),
        notes=tuple(sources.fits.get("notes") or ()),
    )


def _kind(sources: Sources) -> str:
    if sources.is_table:
        return "Fits"
    return "Loss, size and context" if sources.has_runs else "Loss and context"


def _shown(study: Study, sources: Sources, chart: Chart) -> ShownChart:
    name = chart.name
    path = study.charts / f"{name}.svg"
    if not path.is_file():
        raise UserError(f"{path} does not exist; draw it with `hf-ctxscale draw {study.folder}`.")
    text = alternative_text(name, sources)
    svg = inline_svg(path.read_text(encoding="utf-8"), name=name, alternative_text=text)
    return ShownChart(name, chart.title, caption(name, sources), text, svg, packed_figure(chart))


def inline_svg(svg: str, *, name: str, alternative_text: str) -> Markup:
    """A chart's SVG file as an element of a page: without prolog and metadata, as wide as its place, with ids and styles of its own."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    # Drawings on one page must not share ids, and a rule for every element of a drawing must not reach the page.
    body = re.sub(r'(\bid="|href="#|url\(#)', lambda found: f"{found[0]}{name}-", body)
    body = body.replace("*{", f"#{name} *{{")
    head, rest = body.split(">", 1)
    head = re.sub(r'\s(width|height|id|version)="[^"]*"', "", head)
    return Markup(f'{head} id="{name}" role="img" aria-label="{escape(alternative_text)}">{rest}')
