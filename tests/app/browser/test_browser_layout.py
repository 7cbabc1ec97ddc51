"""Phone and desktop, light and dark, keyboard alone, and what axe finds, for every tab."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from chromium import DESKTOP, PHONE, watched_page
from page_parts import TABS, open_tab, wait_charts, wait_filled
from playwright.sync_api import Page

pytestmark = pytest.mark.browser

DARK = pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
SERIOUS = ("serious", "critical")


def wide_elements(page: Page) -> list[str]:
    """What reaches beyond the right edge of the page and makes it scroll sideways."""
    return page.evaluate(
        """() => document.documentElement.scrollWidth <= window.innerWidth ? [] : [...document.querySelectorAll("main *")]
          .filter((one) => one.getBoundingClientRect().right > window.innerWidth + 1)
          .map((one) => `${one.tagName} ${one.id} ${one.className}`).slice(-5)"""
    )


@DARK
@pytest.mark.parametrize("name", TABS)
def test_tab_fits_a_phone_without_scrolling_sideways(app, browser, name, dark):
    with watched_page(browser, app.url, size=PHONE, dark=dark) as watched:
        page = watched.page
        wait_charts(page)
        open_tab(page, name)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0], wide_elements(page)


@DARK
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("name", TABS)
def test_axe_finds_nothing_serious(app, browser, name, size, dark):
    with watched_page(browser, app.url, size=size, dark=dark) as watched:
        page = watched.page
        wait_charts(page)
        open_tab(page, name)
        page.add_style_tag(content="*, *::before, *::after { animation: none !important; transition: none !important; }")
        found = Axe().run(page).response["violations"]
        worst = [
            f"{one['id']}: {one['help']}: {[(node['target'], node['failureSummary'].splitlines()[1:3]) for node in one['nodes'][:4]]}"
            for one in found
            if one["impact"] in SERIOUS
        ]
        assert not worst, "\n".join(worst)


def test_dark_charts_are_drawn_in_dark_colours(app, browser):
    drawn = {}
    for dark in (False, True):
        with watched_page(browser, app.url, dark=dark) as watched:
            wait_charts(watched.page)
            drawn[dark] = watched.page.evaluate(
                "[getComputedStyle(document.body).backgroundColor, document.querySelector('#size-chart .js-plotly-plot').layout.font?.color]"
            )
    assert drawn[False] != drawn[True]
    assert drawn[False][1] != drawn[True][1]


def test_page_that_is_made_narrow_is_laid_out_for_a_phone(app, browser):
    with watched_page(browser, app.url) as watched:
        page = watched.page
        wait_charts(page)
        layout = "JSON.stringify(document.querySelector('#size-chart .js-plotly-plot').layout.margin.r)"
        before = page.evaluate(layout)
        page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
        page.wait_for_function("(before) => " + layout + " !== before", arg=before)
        page.wait_for_function(f"document.documentElement.scrollWidth <= {PHONE[0]}")


def test_page_can_be_used_with_the_keyboard_alone(app, browser):
    with watched_page(browser, app.url) as watched:
        page = watched.page
        wait_charts(page)
        reached, focus_seen = [], []
        for _ in range(60):
            page.keyboard.press("Tab")
            name, outline = page.evaluate(
                """() => {
                  const one = document.activeElement, style = getComputedStyle(one);
                  const label = one.closest("[id]")?.id ?? "";
                  return [`${one.getAttribute("role") ?? one.tagName} ${one.innerText?.trim().slice(0, 30) ?? ""} ${label}`,
                          style.outlineStyle !== "none" || style.boxShadow !== "none"];
                }"""
            )
            reached.append(name)
            focus_seen.append(outline or name.startswith("BODY"))
        everything = "\n".join(reached)
        for wanted in (
            "tab Charts",
            "Choose what is shown",
            "size-png",
            "size-svg",
            "size-csv",
            "Table: loss by size",
            "position-png",
            "copy-link",
        ):
            assert wanted in everything, f"{wanted!r} is not reached by the tab key:\n{everything}"
        unseen = [name for name, seen in zip(reached, focus_seen, strict=True) if not seen]
        assert not unseen, f"focus cannot be seen on {unseen}"

        # The tab key goes from tab to tab, Enter opens one, and the accordion too; space chooses.
        page.get_by_role("tab", name="Charts", exact=True).first.focus()
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        wait_filled(page, "Compare")
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Choose what is shown").focus()
        page.keyboard.press("Enter")
        page.locator("#view-x").get_by_label("Training FLOPs").focus()
        page.keyboard.press("Space")
        page.wait_for_function("document.querySelector('#size-chart .js-plotly-plot').layout.xaxis.title.text.includes('FLOP')")


def test_screen_reader_is_told_what_a_chart_shows(app, browser):
    with watched_page(browser, app.url) as watched:
        page = watched.page
        wait_charts(page)
        for chart in ("size", "position"):
            drawing = page.locator(f"#{chart}-chart .js-plotly-plot[role=figure]")
            drawing.wait_for()
            text = page.locator(f"#{drawing.get_attribute('aria-labelledby')}").inner_text()
            assert "table" in text
            assert len(text) > 60
