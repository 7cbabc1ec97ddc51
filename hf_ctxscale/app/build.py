"""build_app: the page with its tabs; launch_options: what of its looks belongs to the launch."""

from html import escape
from typing import Any

import gradio as gr

from hf_ctxscale.app.about_tab import about_tab
from hf_ctxscale.app.chart_api import chart_api
from hf_ctxscale.app.compare_tab import compare_tab
from hf_ctxscale.app.errors import shown
from hf_ctxscale.app.explore import choices_of, explore
from hf_ctxscale.app.explore_tab import ExploreTab
from hf_ctxscale.app.fits_tab import fits_tab
from hf_ctxscale.app.opened import Library, OpenedStudy
from hf_ctxscale.app.page_style import CSS, HEAD, THEME, VISITOR
from hf_ctxscale.app.parts import TabParts
from hf_ctxscale.app.read_along_tab import read_along_tab
from hf_ctxscale.app.reading_models import ReadingModels
from hf_ctxscale.app.screen import Screen
from hf_ctxscale.app.settings import SpaceSettings
from hf_ctxscale.app.training_tab import training_tab
from hf_ctxscale.app.view import from_query
from hf_ctxscale.app.your_results_tab import your_results_tab
from hf_ctxscale.charts.chosen_view import View
from hf_ctxscale.reporting.methods import software_version
from hf_ctxscale.reporting.words import result_sentence

TITLE = "How well does a language model use its context?"
PRIVACY = "What you type or upload is read to answer you and is not stored; the page counts no visits and asks no other site for anything."
MOST_QUERY = 2_000  # characters of a link that are read
CHARTS, READ_ALONG, YOUR_RESULTS, ABOUT = "charts", "read-along", "your-results", "about"
TABS = {
    CHARTS: "Charts",
    "compare": "Compare",
    "training": "Training",
    "fits": "Fits",
    READ_ALONG: "Read along",
    YOUR_RESULTS: "Your results",
    ABOUT: "About",
}
LINK = '(query, tab) => location.origin + location.pathname + query + (query === "?" ? "" : "&") + "tab=" + tab'
COPY = """async (link) => {
  try { await navigator.clipboard.writeText(link); return "Copied"; }
  catch { document.querySelector("#view-link :is(input, textarea)")?.select(); return "Selected: copy it with the keyboard"; }
}"""


def build_app(library: Library, *, reading: ReadingModels, settings: SpaceSettings) -> gr.Blocks:
    """The page, with the first sight already drawn once, so that nobody waits for it.

    Args:
        library: of open studies.
        reading: the models of Read along.
        settings: what may be loaded, and limits.

    Raises:
        UserError: the shipped study cannot be read.
    """
    shipped = library.open(Library.SHIPPED)
    explore(shipped, View())
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(600, 3600)) as app:
        key, screen = gr.State(Library.SHIPPED), gr.State(Screen())
        visitor, redraw = gr.JSON(visible="hidden"), gr.Button("Redraw", visible="hidden", elem_id="redraw")
        active = gr.Textbox(CHARTS, visible="hidden", show_label=False)
        header = gr.HTML(header_html(shipped), elem_classes="page-header", padding=False)
        notice = gr.HTML(visible=False)
        with gr.Row(visible=False, elem_id="own-study") as banner:
            showing, back = gr.HTML(padding=False), gr.Button("Back to the shipped results", size="sm", elem_id="back-to-shipped")
        parts: dict[str, TabParts] = {}
        tabs: dict[str, gr.Tab] = {}
        with gr.Tabs(selected=CHARTS, elem_id="tabs") as bar:
            with gr.Tab(TABS[CHARTS], id=CHARTS) as tabs[CHARTS]:
                charts = ExploreTab(library, key=key, screen=screen)
                parts[CHARTS] = charts.parts
            for name, make in (("compare", compare_tab), ("training", training_tab), ("fits", fits_tab)):
                with gr.Tab(TABS[name], id=name) as tabs[name]:
                    parts[name] = make(library, key=key, screen=screen)
            with gr.Tab(TABS[READ_ALONG], id=READ_ALONG) as tabs[READ_ALONG]:
                parts[READ_ALONG] = read_along_tab(key=key, screen=screen, reading=reading, settings=settings)
            with gr.Tab(TABS[YOUR_RESULTS], id=YOUR_RESULTS) as tabs[YOUR_RESULTS]:
                parts[YOUR_RESULTS] = your_results_tab(library, key=key, screen=screen, settings=settings)
            with gr.Tab(TABS[ABOUT], id=ABOUT) as tabs[ABOUT]:
                parts[ABOUT] = about_tab(library, key=key, screen=screen)
        with gr.Row(elem_id="link-row"):
            link = gr.Textbox(label="Link to this view", interactive=False, max_lines=1, elem_id="view-link", scale=4)
            copy = gr.Button("Copy link", elem_id="copy-link", scale=1)
        gr.HTML(f"<p>hf-ctxscale {escape(software_version())}. {escape(PRIVACY)}</p>", elem_classes="page-footer", padding=False)

        page = _Page(library, charts)
        # Past the queue, in which texts to be read may wait.
        instant: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
        filled = _fill_tabs(tabs, parts, active=active, key=key, screen=screen)
        app.load(
            shown(page.open_link),
            [visitor, key],
            [screen, notice, bar, active, filled[CHARTS], *charts.parts.outputs],
            js=VISITOR,
            **instant,
        )
        # Of events past the queue the page does not notice that a state has changed, so that nothing would follow from it.
        noticed: dict[str, Any] = {"concurrency_limit": None, "show_progress": "hidden", "api_visibility": "private"}
        redraw.click(shown(page.screen_of), visitor, screen, js=VISITOR, **noticed)
        key.change(shown(page.show_study), key, [header, banner, showing], **instant)
        back.click(lambda: Library.SHIPPED, None, key, **noticed)
        gr.on([charts.query.change, active.change], None, [charts.query, active], link, js=LINK, api_visibility="private")
        copy.click(None, link, copy, js=COPY, api_visibility="private")
        chart_api(library)
    return app


def launch_options() -> dict[str, Any]:
    """What the page's looks add to `launch`."""
    return {"theme": THEME, "css": CSS, "head": HEAD, "footer_links": ["api"]}


class _Page:
    """What happens to the page as a whole."""

    def __init__(self, library: Library, charts: ExploreTab):
        self._library = library
        self._charts = charts

    def open_link(self, visitor: dict[str, Any] | None, key: str) -> tuple[Any, ...]:
        """The page as a link asks for it: screen, notice, tab, and the charts."""
        opened, screen = self._library.open(key), self.screen_of(visitor)
        asked = from_query(str((visitor or {}).get("query") or "")[:MOST_QUERY], choices=choices_of(opened), tabs=TABS)
        # A visitor who was quicker has another tab open already; only a link that names one takes it away.
        shown_tab = (gr.skip(), gr.skip()) if asked.tab is None else (gr.Tabs(selected=asked.tab), asked.tab)
        notice = gr.HTML(notice_html(asked.notices), visible=bool(asked.notices))
        return (screen, notice, *shown_tab, (key, screen), *self._charts.open_view(opened, asked.view, screen=screen))

    def screen_of(self, visitor: dict[str, Any] | None) -> Screen:
        """What the page says of itself; a program that says nothing has a wide, light one."""
        said = visitor or {}
        return Screen(narrow=bool(said.get("narrow")), dark=bool(said.get("dark")))

    def show_study(self, key: str) -> tuple[Any, ...]:
        """What stands above the tabs, for another study."""
        opened = self._library.open(key)
        return (
            header_html(opened),
            gr.Row(visible=opened.own),
            f'<p role="status">Showing <strong>{escape(opened.name)}</strong> (yours)</p>',
        )


def _fill_tabs(
    tabs: dict[str, gr.Tab], parts: dict[str, TabParts], *, active: gr.Textbox, key: gr.State, screen: gr.State
) -> dict[str, gr.State]:
    """Fills each tab when it is shown and holds another study or screen than the page, and the one that is shown when those change.

    Returns:
        what each tab was last filled with.
    """
    filled = {name: gr.State(None) for name in tabs}
    for name, tab in tabs.items():
        own = parts[name]
        event: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
        inputs, outputs = [filled[name], key, screen, *own.inputs], [filled[name], *own.outputs]
        tab.select(None, None, active, js=f'() => "{name}"', api_visibility="private")
        # The page selects its first tab by itself, and the event of its loading fills that.
        tab.select(shown(_filler(own, first=name == CHARTS)), inputs, outputs, **event)
        gr.on([key.change, screen.change], shown(_filler_of_active(name, own)), [active, *inputs], outputs, **event)
    return filled


def _filler(parts: TabParts, *, first: bool = False) -> Any:
    """An event function that fills a tab, and leaves it as it is where it shows this study on this screen already.

    Args:
        parts: of the tab.
        first: whether something else fills it for the first time.
    """

    def fill(filled: tuple[str, Screen] | None, key: str, screen: Screen, *values: Any) -> tuple[Any, ...]:
        if filled == (key, screen) or (first and filled is None):
            return tuple(gr.skip() for _ in range(1 + len(parts.outputs)))
        return ((key, screen), *parts.refresh(key, screen, *values))

    return fill


def _filler_of_active(name: str, parts: TabParts) -> Any:
    """The same for the tab that is shown alone: the others are filled when they are."""
    fill = _filler(parts, first=name == CHARTS)

    def fill_active(active: str, filled: tuple[str, Screen] | None, key: str, screen: Screen, *values: Any) -> tuple[Any, ...]:
        if active != name:
            return tuple(gr.skip() for _ in range(1 + len(parts.outputs)))
        return fill(filled, key, screen, *values)

    return fill_active


def header_html(opened: OpenedStudy) -> str:
    """The page's question, and the study's result in words."""
    return f"<h1>{escape(TITLE)}</h1><p>{escape(result_sentence(opened.sources))}</p>"


def notice_html(notices: tuple[str, ...]) -> str:
    """What of a link was ignored."""
    return f'<div class="notice" role="status">{"".join(f"<p>{escape(notice)}</p>" for notice in notices)}</div>'
