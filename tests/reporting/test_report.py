"""report.html and report.md as files."""

import base64
import gzip
import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from synthetic_study import write_synthetic_study

from hf_ctxscale.charts.draw import draw_study
from hf_ctxscale.charts.study_charts import study_charts
from hf_ctxscale.files import read_table
from hf_ctxscale.reporting.numbers import estimate, number
from hf_ctxscale.reporting.render import markdown_fence, markdown_text
from hf_ctxscale.reporting.report import inline_svg, write_report
from hf_ctxscale.study import Study, UserError

VOID = {"meta", "br", "img", "link", "hr", "input"}
ATTACK = "<script>alert('a')</script>"


class Page(HTMLParser):
    """Checks that elements are closed in order, and collects text, tags, attributes and ids."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.cells: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & set(self.open):
            self.cells[-1] += data


@pytest.fixture(scope="module")
def html(reported: Study) -> str:
    return (reported.folder / "report.html").read_text()


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


@pytest.fixture(scope="module")
def markdown(reported: Study) -> str:
    return (reported.folder / "report.md").read_text()


@pytest.fixture(scope="module")
def charts(reported: Study) -> list[str]:
    return list(study_charts(reported))


def test_the_page_is_well_formed_and_holds_every_chart_as_an_image_with_a_text(page: Page, charts: list[str]) -> None:
    labels = [value for tag, name, value in page.attributes if (tag, name) == ("svg", "aria-label")]
    assert len(labels) == page.tags.count("svg") == page.tags.count("figcaption") == len(charts)
    assert all(len(label) > 40 for label in labels)
    assert [value for tag, name, value in page.attributes if (tag, name) == ("svg", "role")] == ["img"] * len(charts)


def test_the_page_needs_nothing_beside_it(html: str, page: Page) -> None:
    loads = [
        (tag, name, value) for tag, name, value in page.attributes if name in ("src", "href", "xlink:href", "srcset", "data", "action")
    ]
    assert [load for load in loads if not load[2].startswith("#")] == []
    assert not {"link", "iframe", "img", "object"} & set(page.tags)
    drawn = re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL)
    assert "@import" not in drawn
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", drawn))
    (policy,) = [value for _, name, value in page.attributes if name == "content" and "src" in value]
    assert policy.startswith("default-src 'none'; ")
    assert "http" not in policy


def test_every_chart_has_a_live_figure_of_its_own(html: str, page: Page, charts: list[str]) -> None:
    places = [value for tag, name, value in page.attributes if (tag, name) == ("div", "data-chart")]
    assert sorted(places) == sorted(charts)
    figures = re.findall(r'<script type="text/plain" id="figure-(\w+)">(.*?)</script>', html, flags=re.DOTALL)
    assert [name for name, _ in figures] == places
    assert all({"data", "layout"} <= set(json.loads(gzip.decompress(base64.b64decode(figure)))) for _, figure in figures)
    assert html.count('id="plotly"') == 1


def test_ids_are_used_once_and_every_reference_inside_a_chart_is_met(html: str, page: Page) -> None:
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    used = set(re.findall(r'(?:href="|url\()#([^")]+)', html))
    assert used
    assert used <= set(ids)


def test_a_hostile_corpus_name_is_text_everywhere(html: str, page: Page, markdown: str) -> None:
    assert ATTACK not in html
    assert any(ATTACK in cell for cell in page.cells)
    outside = re.sub(r"^(`{3,}).*?^\1$", "", markdown, flags=re.DOTALL | re.MULTILINE)
    assert outside.count("```") == 0
    assert "<script" not in outside
    assert "](http://evil" not in outside
    rows = [line for line in markdown.splitlines() if line.startswith("| corpus |")]
    assert len(re.findall(r"(?<!\\)\|", rows[0])) == 3


def test_the_page_fits_a_phone(html: str, page: Page) -> None:
    assert ("meta", "content", "width=device-width, initial-scale=1") in page.attributes
    assert html.count('<div class="scroll"') == page.tags.count("table") - 1  # the setup's lines may break
    assert ".scroll { overflow-x: auto;" in html
    assert not [attribute for attribute in page.attributes if attribute[0] == "svg" and attribute[1] == "width"]


def test_every_run_and_every_claim_is_in_both_forms_with_the_numbers_of_the_tables(reported: Study, page: Page, markdown: str) -> None:
    for run in read_table(reported.results_file("runs")).to_pylist():
        (row,) = [line for line in markdown.splitlines() if line.endswith(f"| {run['run_id']} |")]
        assert run["run_id"] in page.cells
        for column, signed in (("loss_nats", False), ("bits_per_byte", False), ("context_gain_nats", True)):
            text = estimate(run[column], run[f"{column}_low"], run[f"{column}_high"], signed=signed)
            assert f"| {text} |" in row
            assert text in page.cells
        assert f"| {run['body_params']:,} |" in row
        assert f"| {run['total_params']:,} |" in row
    for claim in json.loads(reported.fits_file.read_text())["claims"]:
        (row,) = [line for line in markdown.splitlines() if markdown_text(claim["claim"]) in line]
        for text in (claim["claim"], claim["rule"], claim["verdict"], claim["reason"]):
            assert text is None or (markdown_text(text) in row and any(text in cell for cell in page.cells))
        assert number(claim["measured"], signed=claim["paper"] is None) in row


def test_runs_that_failed_or_still_train_are_rows_without_numbers(markdown: str) -> None:
    (failed,) = [line for line in markdown.splitlines() if line.endswith("| lstm-4-26k-s0 |")]
    assert r"failed: the loss is nan \| step 1200 of &lt;2930&gt;" in failed
    (training,) = [line for line in markdown.splitlines() if line.endswith("| lstm-4-76k-s0 |")]
    assert training.split("|")[3:7] == [" — ", " — ", " — ", " training "]


def test_every_row_of_every_markdown_table_has_as_many_cells_as_its_head(markdown: str) -> None:
    counts = [len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0 for line in markdown.splitlines()]
    assert counts.count(0) < len(counts) - 30
    for before, count in pairwise(counts):
        assert count in (0, before) or before == 0


def test_markdown_links_the_drawn_charts(reported: Study, markdown: str, charts: list[str]) -> None:
    links = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", markdown)
    assert sorted(links) == sorted(f"charts/{name}.png" for name in charts)
    assert all((reported.folder / link).is_file() for link in links)


def test_the_papers_form_is_in_the_report_where_it_was_drawn(reported: Study, tmp_path: Path) -> None:
    copy = Study(tmp_path / "study")
    shutil.copytree(reported.folder, copy.folder)
    draw_study(copy, style="figure7", paper=True)
    text = write_report(copy, style="figure7", paper=True).with_suffix(".md").read_text()
    assert "](charts/figure7.png)" in text
    assert "read off by eye (approximate)" in text
    assert "figure7.png" not in (reported.folder / "report.md").read_text()


def test_writing_twice_gives_the_same_bytes(reported: Study) -> None:
    before = [(reported.folder / f"report.{form}").read_bytes() for form in ("html", "md")]
    assert write_report(reported) == reported.folder / "report.html"
    assert [(reported.folder / f"report.{form}").read_bytes() for form in ("html", "md")] == before


def test_a_study_of_one_document_without_fits_is_reported_without_intervals(tmp_path: Path) -> None:
    study = write_synthetic_study(tmp_path, one_document=True, fits=False, models={("lstm", 1): ((3.6, 0.0), (3.4, 0.0))})
    draw_study(study)
    text = write_report(study).with_suffix(".md").read_text()
    assert "No intervals: they need several test documents, and this corpus has 1." in text
    assert "No claim has been judged yet." in text
    assert "## Fits" not in text
    assert not re.search(r"\d \[", text)


def test_an_architecture_of_an_older_version_and_missing_setup_files_do_not_stop_the_report(tmp_path: Path) -> None:
    study = write_synthetic_study(tmp_path, models={("retired$<net>", 3): ((3.6, 0.0),), ("lstm", 1): ((3.7, 0.0),)}, fits=False)
    study.config_file.unlink()
    shutil.rmtree(study.tokens)
    shutil.rmtree(study.scores)
    draw_study(study)
    html = write_report(study).read_text()
    assert "retired$&lt;net&gt;, 3 layers" in html
    assert "<net>" not in html


def test_missing_results_and_missing_charts_are_errors_that_say_what_to_do(reported: Study, tmp_path: Path) -> None:
    copy = Study(tmp_path / "study")
    shutil.copytree(reported.folder, copy.folder)
    (copy.charts / "loss_vs_tokens.svg").unlink()
    with pytest.raises(UserError, match=r"loss_vs_tokens\.svg does not exist; draw it with `hf-ctxscale draw"):
        write_report(copy)
    copy.results_file("runs").unlink()
    with pytest.raises(UserError, match=r"runs\.parquet does not exist; the command"):
        write_report(copy)


def test_a_broken_corpus_record_is_named(reported: Study, tmp_path: Path) -> None:
    copy = Study(tmp_path / "study")
    shutil.copytree(reported.folder, copy.folder)
    (copy.tokens / "corpus.json").write_text("{")
    with pytest.raises(UserError, match=r"corpus\.json is not valid JSON"):
        write_report(copy)


def test_an_inlined_chart_keeps_its_ids_and_styles_to_itself() -> None:
    svg = (
        '<?xml version="1.0"?><!DOCTYPE svg><svg width="1pt" height="2pt" viewBox="0 0 1 2" version="1.1"><metadata>\n<a/></metadata>'
        '<style>*{x: y}</style><g id="a" clip-path="url(#b)"/><use xlink:href="#a"/></svg>'
    )
    assert inline_svg(svg, name="n", alternative_text='say "hi" <now>') == (
        '<svg viewBox="0 0 1 2" id="n" role="img" aria-label="say &#34;hi&#34; &lt;now&gt;"><style>#n *{x: y}</style>'
        '<g id="n-a" clip-path="url(#n-b)"/><use xlink:href="#n-a"/></svg>'
    )


@pytest.mark.parametrize(("text", "fence"), [("a", "```"), ("`a`", "```"), ("```", "````"), ("a `````\n` b", "``````")])
def test_no_code_ends_its_fence(text: str, fence: str) -> None:
    assert markdown_fence(text) == fence


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a|b", r"a\|b"),
        ("a\n# b", r"a \# b"),
        ("*a* `b` _c_", r"\*a\* \`b\` \_c\_"),
        ("[a](b)", r"[a]\(b)"),
        ("<b> & c", "&lt;b&gt; &amp; c"),
        ("2.879 [2.810, 2.940]", "2.879 [2.810, 2.940]"),
    ],
)
def test_markdown_shows_text_as_it_is(text: str, shown: str) -> None:
    assert markdown_text(text) == shown


def test_reporting_loads_no_torch() -> None:
    code = "import sys, hf_ctxscale.reporting.report; print(sorted({'torch', 'transformers', 'datasets', 'hf_ctxscale.data'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
