"""build_app: the page opens as a link asks, fills a tab when it is shown, and answers programs; names are text wherever they stand."""

import re
import threading

import gradio as gr
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from hf_ctxscale.app.build import TABS, _filler, _filler_of_active, _Page, build_app, header_html, launch_options, notice_html
from hf_ctxscale.app.chart_table import chart_rows
from hf_ctxscale.app.explore import choices_of, explore
from hf_ctxscale.app.explore_tab import ExploreTab
from hf_ctxscale.app.opened import Library
from hf_ctxscale.app.parts import TabParts
from hf_ctxscale.app.reading_models import ReadingModels
from hf_ctxscale.app.screen import Screen
from hf_ctxscale.app.settings import SpaceSettings
from hf_ctxscale.charts.chosen_view import View


@pytest.fixture(scope="module")
def app(library):
    return build_app(library, reading=ReadingModels({}, any_model=False, limits=SpaceSettings().limits), settings=SpaceSettings())


@pytest.fixture(scope="module")
def client(app):
    with pytest.MonkeyPatch.context() as patched:
        # Gradio asks itself through a proxy whether it can be reached.
        for name in ("no_proxy", "NO_PROXY"):
            patched.setenv(name, "127.0.0.1,localhost")
        _, address, _ = app.queue().launch(prevent_thread_lock=True, quiet=True, share=False, ssr_mode=False, **launch_options())
        yield Client(address, verbose=False)
        app.close()


@pytest.fixture(scope="module")
def page(library):
    with gr.Blocks():
        return _Page(library, ExploreTab(library, key=gr.State(Library.SHIPPED), screen=gr.State(Screen())))


def test_every_tab_is_there(app):
    labels = [block.label for block in app.blocks.values() if isinstance(block, gr.Tab)]
    assert labels == ["Charts", "Compare", "Training", "Fits", "Read along", "Your results", "About"]


def test_page_opens_as_its_link_asks(page):
    visitor = {"query": "?tab=fits&x=flops", "narrow": True, "dark": True}
    screen, notice, tabs, active, filled, *outputs = page.open_link(visitor, Library.SHIPPED)
    assert screen == Screen(narrow=True, dark=True)
    assert not notice.visible
    assert (tabs.selected, active) == ("fits", "fits")
    assert filled == (Library.SHIPPED, screen)
    assert "train_flops" in outputs
    assert outputs[-1] == "?x=flops"


def test_link_that_cannot_be_read_gives_the_first_sight_and_a_notice(page):
    _, notice, tabs, *_, query = page.open_link({"query": "?x=<script>alert(1)</script>"}, Library.SHIPPED)
    assert notice.visible
    assert "<script" not in notice.value
    assert tabs == gr.skip()
    assert query == "?"


@pytest.mark.parametrize("said", [None, {}, {"query": None}, {"query": ["x"], "narrow": "yes"}])
def test_page_that_says_nonsense_of_itself_opens_all_the_same(page, said):
    assert page.open_link(said, Library.SHIPPED)[2:4] == (gr.skip(), gr.skip())


def test_visitors_study_is_named_above_the_tabs_with_a_way_back(page, library, own_study):
    key = library.add(own_study, name="<b>mine</b>")
    header, banner, showing = page.show_study(key)
    assert "<img" not in header
    assert "&lt;img" in header
    assert banner.visible
    assert "&lt;b&gt;mine" in showing
    assert not page.show_study(Library.SHIPPED)[1].visible
    library.drop(key)


def test_header_is_the_result_of_the_study_and_links_nowhere(shipped):
    header = header_html(shipped)
    assert "test losses in nats per token are" in header
    assert "href" not in header


def test_notice_is_escaped():
    assert notice_html(("<b>",)) == '<div class="notice" role="status"><p>&lt;b&gt;</p></div>'


def test_tab_is_filled_once_for_a_study_and_a_screen():
    calls = []

    def refresh(key, screen, value):
        calls.append((key, screen, value))
        return ("filled",)

    fill = _filler(TabParts(refresh, inputs=(), outputs=(None,)))
    now = ("shipped", Screen())
    assert fill(None, *now, 1) == (now, "filled")
    assert fill(now, *now, 1) == (gr.skip(), gr.skip())
    assert fill(now, "shipped", Screen(dark=True), 2) == (("shipped", Screen(dark=True)), "filled")
    assert calls == [(*now, 1), ("shipped", Screen(dark=True), 2)]


def test_first_tab_is_left_to_the_event_that_opens_the_page():
    fill = _filler(TabParts(lambda key, screen: ("filled",), inputs=(), outputs=(None,)), first=True)
    assert fill(None, "shipped", Screen()) == (gr.skip(), gr.skip())
    assert fill(("other", Screen()), "shipped", Screen())[1] == "filled"


def test_tab_that_is_not_shown_is_filled_later():
    fill = _filler_of_active("fits", TabParts(lambda key, screen: ("filled",), inputs=(), outputs=(None,)))
    assert fill("charts", None, "shipped", Screen()) == (gr.skip(), gr.skip())
    assert fill("fits", None, "shipped", Screen())[1] == "filled"


def test_page_names_no_other_host():
    written = launch_options()["css"] + launch_options()["head"]
    assert not re.search(r"https?://", written)
    assert launch_options()["footer_links"] == ["api"]
    fonts = launch_options()["theme"]
    assert not fonts._stylesheets


def test_program_gets_the_rows_behind_each_chart(client, shipped):
    drawn = explore(shipped, View(unit="bits_per_byte", families=("gpt2",)))
    size = client.predict(unit="bits", families=["gpt2"], api_name="/size_chart")
    position = client.predict(unit="bits", families=["gpt2"], api_name="/position_chart")
    for answer, chart, words in ((size, drawn.size, drawn.size_words), (position, drawn.position, drawn.position_words)):
        assert answer["columns"] == list(chart_rows(chart).headers)
        assert answer["rows"] == [list(row) for row in chart_rows(chart).rows]
        assert answer["rows"]
        assert answer["sentence"] == words


def test_program_that_asks_for_what_there_is_not_is_told_what_there_is(client):
    with pytest.raises(AppError, match="allowed: body, total, flops, seconds"):
        client.predict(x="width", api_name="/size_chart")


def test_programs_see_useful_endpoints_alone(client):
    named = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert {"/size_chart", "/position_chart"} <= set(named)
    assert not [name for name in named if re.search("fill|refresh|redraw|save|lambda|open_link|screen", name)]
    assert client.view_api(return_format="dict", print_info=False)["unnamed_endpoints"] == {}


def test_programs_that_ask_at_once_each_get_what_they_asked_for(client, shipped):
    answers = {}
    depths = choices_of(shipped).depths

    def ask(depth: int) -> None:
        answers[depth] = client.predict(depths=[depth], api_name="/position_chart")

    programs = [threading.Thread(target=ask, args=(depth,)) for depth in depths]
    for program in programs:
        program.start()
    for program in programs:
        program.join()
    for depth in depths:
        expected = chart_rows(explore(shipped, View(depths=(depth,))).position)
        assert answers[depth]["rows"] == [list(row) for row in expected.rows]


def test_names_of_tabs_are_those_that_links_know():
    assert list(TABS) == ["charts", "compare", "training", "fits", "read-along", "your-results", "about"]
