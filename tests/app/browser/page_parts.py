"""Where things are on the page, for all browser tests: tabs, charts, downloads, messages."""

from playwright.sync_api import Locator, Page, expect

TABS = ("Charts", "Compare", "Training", "Fits", "Read along", "Your results", "About")
# Something of each tab that is there once it is filled.
FILLED = {
    "Charts": "#position-chart .js-plotly-plot .scatterlayer path",
    "Compare": "#compare-chart .js-plotly-plot .scatterlayer path",
    "Training": "#training-loss-chart .js-plotly-plot .scatterlayer path",
    "Fits": "#fits-found h2",
    "Read along": "#read-along-result .paper",
    "Your results": "#your-results-fit",
    "About": "#about-text h2",
}


def open_tab(page: Page, name: str) -> None:
    """Opens a tab, in the menu behind the three dots where the page is too narrow for all, and waits until it is filled."""
    expect(page.get_by_role("tab", selected=True).first).to_be_visible()
    tab = page.get_by_role("tab", name=name, exact=True)
    if tab.first.is_visible():
        tab.first.click()
    else:
        page.locator("#tabs .overflow-menu > button").click()
        page.locator("#tabs .overflow-dropdown button", has_text=name).click()
    wait_filled(page, name)


def wait_filled(page: Page, name: str) -> None:
    expect(page.locator(FILLED[name]).first).to_be_visible()


def wait_charts(page: Page) -> None:
    """Until both charts of the first sight are drawn."""
    for chart in ("size", "position"):
        expect(page.locator(f"#{chart}-chart .js-plotly-plot .scatterlayer path").first).to_be_visible()


def traces(page: Page, chart: str) -> list[str]:
    """Names of what a chart draws now."""
    return page.evaluate(f"document.querySelector('#{chart}-chart .js-plotly-plot').data.map((trace) => trace.name || '')")


def axis(page: Page, chart: str, name: str) -> dict:
    """One axis of a chart's layout."""
    return page.evaluate(f"document.querySelector('#{chart}-chart .js-plotly-plot').layout.{name}")


def wait_for_axis(page: Page, chart: str, name: str, *, title: str | None = None, kind: str | None = None) -> None:
    """Until an axis of a chart has a title that begins so, and is of a kind (log, linear)."""
    page.wait_for_function(
        """([chart, name, title, kind]) => {
          const axis = document.querySelector(`#${chart}-chart .js-plotly-plot`)?.layout?.[name];
          return axis && (!title || axis.title.text.includes(title)) && (!kind || (axis.type ?? "linear") === kind);
        }""",
        arg=[chart, name, title, kind],
    )


def open_controls(page: Page) -> None:
    """The accordion with what can be chosen."""
    x = page.locator("#view-x")
    if not x.is_visible():
        page.get_by_role("button", name="Choose what is shown").click()
    expect(x).to_be_visible()


def message(page: Page) -> Locator:
    """The message of an error, which stays until it is closed."""
    return page.locator(".toast-body")
