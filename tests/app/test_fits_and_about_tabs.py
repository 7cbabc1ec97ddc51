"""The tabs Fits and About."""

import json
from html import unescape
from pathlib import Path
from typing import Any

import click
import gradio as gr
import pytest
import typer.main
from trained_study import write_trained_study

from hf_ctxscale.app.about_tab import about_tab
from hf_ctxscale.app.about_text import CHART_COMMANDS, PAPER, about_html, citation, limits, paper_says
from hf_ctxscale.app.fits_tab import claims_of, fits_tab
from hf_ctxscale.app.opened import Library
from hf_ctxscale.app.screen import Screen
from hf_ctxscale.reporting.sources import Sources
from hf_ctxscale.study import Study


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    return Library(write_trained_study(tmp_path_factory.mktemp("fits") / "study"), name="made up")


@pytest.fixture(scope="module")
def sources(library: Library) -> Sources:
    return library.open(Library.SHIPPED).sources


@pytest.fixture(params=[fits_tab, about_tab])
def parts(request: Any, library: Library) -> Any:
    with gr.Blocks():
        return request.param(library, key=gr.State(Library.SHIPPED), screen=gr.State(Screen()))


def test_every_output_gets_text_of_the_shipped_study_and_of_a_table(parts: Any, library: Library, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("N,loss\n1e5,4.1\n2e5,3.6\n")
    for key in (Library.SHIPPED, library.add(Study(tmp_path), name="a table")):
        values = parts.refresh(key, Screen())
        assert len(values) == len(parts.outputs)
        assert all(isinstance(value, str) and value for value in values)


def test_the_api_gives_every_claim_as_plain_json(library: Library, sources: Sources) -> None:
    answer = claims_of(library.open(Library.SHIPPED))
    assert answer["claims"] == sources.fits["claims"]
    assert answer["sentence"].startswith(f"Of {len(answer['claims'])} claims put to this study")
    json.dumps(answer, allow_nan=False)


def test_about_says_method_limits_paper_and_commands(sources: Sources) -> None:
    page = unescape(about_html(sources))
    for sentence in (*limits(), *paper_says(), *sources.fits["notes"]):
        assert sentence in page
    for row in CHART_COMMANDS:
        assert row.command in page


def test_about_links_to_the_paper_and_nowhere_else(sources: Sources) -> None:
    page = about_html(sources)
    assert page.count("href=") == page.count(f'href="{PAPER}"') == 1
    assert "src=" not in page


def test_every_command_behind_a_chart_exists_with_its_options() -> None:
    from hf_ctxscale.cli.main import app

    group = typer.main.get_command(app)
    assert isinstance(group, click.Group) or hasattr(group, "commands")
    for row in CHART_COMMANDS:
        program, name, *words = row.command.split()
        assert program == "hf-ctxscale"
        command = group.commands[name]
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, row.command


def test_the_papers_gain_over_position_is_that_of_its_own_curves() -> None:
    # FACTS: every one of its curves gains only 0.22 to 0.25 nats from token 100 to 1024.
    assert any("fall by 0.22 to 0.25 nats from token 100 to token 1,024" in sentence for sentence in paper_says())


def test_the_citation_begins_with_the_software_and_the_paper(sources: Sources) -> None:
    found = citation(sources)
    keys = [line.split("{")[1].rstrip(",") for line in found.splitlines() if line.startswith("@")]
    assert keys[:2] == ["hf_ctxscale", "kaplan2020"]
    assert "besiroglu2024" in keys


def test_markup_in_a_corpus_name_is_text(sources: Sources) -> None:
    attack = "<img src=x onerror=alert(1)>"
    page = about_html(Sources(**(vars(sources) | {"corpus": sources.corpus | {"corpus": attack}})))
    assert "<img" not in page
    assert attack in unescape(page)
