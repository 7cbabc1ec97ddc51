"""The Charts tab in a real browser: first sight, hover, every control, downloads, and the link that restores a view."""

import csv
import io
from pathlib import Path
from xml.etree import ElementTree

import pytest
from chromium import watched_page
from page_parts import axis, open_controls, traces, wait_charts, wait_filled, wait_for_axis
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def test_first_sight_is_both_charts_with_a_sentence_under_each(app, browser):
    with watched_page(browser, app.url) as watched:
        page = watched.page
        wait_charts(page)
        assert page.locator("h1").inner_text().endswith("?")
        for chart in ("size", "position"):
            sentence = page.locator(f"#{chart}-words .sentence")
            expect(sentence).to_contain_text("[")
            expect(sentence).to_contain_text("nats")
        # Both lie on the first screen of a desktop, beside each other.
        boxes = [page.locator(f"#{chart}-chart .js-plotly-plot").bounding_box() for chart in ("size", "position")]
        assert boxes[0]["y"] == pytest.approx(boxes[1]["y"], abs=2)
        assert boxes[1]["x"] >= boxes[0]["x"] + boxes[0]["width"] - 1


def test_hovering_over_a_point_shows_its_numbers(app, browser):
    with watched_page(browser, app.url) as watched:
        page = watched.page
        wait_charts(page)
        point = page.locator("#size-chart .scatterlayer .points path").last
        box = point.bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        label = page.locator("#size-chart .hoverlayer .hovertext")
        expect(label.first).to_be_visible()
        assert "nats" in label.first.text_content()


def test_controls_change_axes_unit_and_what_is_drawn(app, browser):
    with watched_page(browser, app.url) as watched:
        page = watched.page
        wait_charts(page)
        before = len(traces(page, "size"))
        open_controls(page)
        for label, title in (("Total parameters", "arameters"), ("Training FLOPs", "FLOP"), ("Training seconds", "econds")):
            page.locator("#view-x").get_by_label(label).check()
            wait_for_axis(page, "size", "xaxis", title=title)
        page.locator("#view-x").get_by_label("Body parameters").check()
        wait_for_axis(page, "size", "xaxis", title="non-embedding")

        page.locator("#view-unit").get_by_label("Bits per byte").check()
        wait_for_axis(page, "size", "yaxis", title="bits per byte")
        wait_for_axis(page, "position", "yaxis", title="bits per byte")
        page.locator("#view-unit").get_by_label("Nats per token").check()
        wait_for_axis(page, "size", "yaxis", title="nats")

        for label, chart, name in (
            ("Size", "size", "xaxis"),
            ("Loss by size", "size", "yaxis"),
            ("Position", "position", "xaxis"),
            ("Loss by position", "position", "yaxis"),
        ):
            box = page.locator("#view-log").get_by_label(label, exact=True)
            was_log = box.is_checked()
            assert (axis(page, chart, name).get("type") == "log") == was_log
            box.set_checked(not was_log)
            wait_for_axis(page, chart, name, kind="linear" if was_log else "log")
            box.set_checked(was_log)
            wait_for_axis(page, chart, name, kind="log" if was_log else "linear")

        for label in ("Fitted laws", "Intervals", "The paper's approximate values"):
            box = page.locator("#view-with").get_by_label(label)
            shown, was_on = traces(page, "size"), box.is_checked()
            box.set_checked(not was_on)
            page.wait_for_function(
                "(before) => JSON.stringify(document.querySelector('#size-chart .js-plotly-plot').data.map((one) => one.name || '')) !== before",
                arg=_as_json(page, shown),
            )
            box.set_checked(was_on)
            page.wait_for_function(f"document.querySelector('#size-chart .js-plotly-plot').data.length === {before}")


@pytest.mark.parametrize(("group", "label", "gone"), [("families", "Transformer", "Transformer"), ("depths", "4 layers", "4 layers")])
def test_what_is_not_chosen_leaves_the_charts(app, browser, group, label, gone):
    with watched_page(browser, app.url) as watched:
        page = watched.page
        wait_charts(page)
        assert any(gone in name for name in traces(page, "size"))
        open_controls(page)
        page.locator(f"#view-{group}").get_by_label(label).uncheck()
        for chart in ("size", "position"):
            page.wait_for_function(
                f"!document.querySelector('#{chart}-chart .js-plotly-plot').data.some((one) => (one.name || '').includes('{gone}'))"
            )


@pytest.mark.parametrize("group", ["sizes", "seeds"])
def test_sizes_and_seeds_can_be_left_out(app, browser, group):
    with watched_page(browser, app.url) as watched:
        page = watched.page
        wait_charts(page)
        points = "document.querySelector('#size-chart .js-plotly-plot').data.reduce((sum, one) => sum + (one.x?.length ?? 0), 0)"
        before = page.evaluate(points)
        open_controls(page)
        page.locator(f"#view-{group}").get_by_role("checkbox").last.uncheck()
        page.wait_for_function(f"{points} < {before}")


def test_charts_are_saved_as_png_svg_and_csv(app, browser):
    with watched_page(browser, app.url) as watched:
        page = watched.page
        wait_charts(page)
        for chart in ("size", "position"):
            saved = {}
            for form in ("png", "svg", "csv"):
                with page.expect_download() as download:
                    page.locator(f"#{chart}-{form}").click()
                assert download.value.suggested_filename.endswith(f".{form}")
                saved[form] = Path(download.value.path()).read_bytes()
            assert saved["png"].startswith(b"\x89PNG")
            assert ElementTree.fromstring(saved["svg"]).tag.endswith("svg")
            rows = list(csv.reader(io.StringIO(saved["csv"].decode())))
            assert len(rows) > 5
            assert len({len(row) for row in rows}) == 1


def test_table_behind_a_chart_opens(app, browser):
    with watched_page(browser, app.url) as watched:
        page = watched.page
        wait_charts(page)
        page.get_by_role("button", name="Table: loss by size").click()
        table = page.locator("#size-table table")
        expect(table).to_be_visible()
        assert table.locator("thead th").count() >= 3
        assert table.locator("tbody tr").count() >= 5


def test_copied_link_restores_the_view(app, browser):
    with watched_page(browser, app.url) as watched:
        page = watched.page
        wait_charts(page)
        open_controls(page)
        page.locator("#view-x").get_by_label("Training FLOPs").check()
        page.locator("#view-unit").get_by_label("Bits per byte").check()
        page.locator("#view-families").get_by_label("Transformer").uncheck()
        wait_for_axis(page, "size", "xaxis", title="FLOP")
        field = page.locator("#view-link").locator("input, textarea")
        page.wait_for_function("document.querySelector('#view-link :is(input, textarea)').value.includes('families=')")
        shown = field.input_value()
        page.locator("#copy-link").click()
        expect(page.locator("#copy-link")).to_have_text("Copied")
        assert page.evaluate("navigator.clipboard.readText()") == shown
    with watched_page(browser, shown) as watched:
        page = watched.page
        wait_charts(page)
        wait_for_axis(page, "size", "xaxis", title="FLOP")
        wait_for_axis(page, "position", "yaxis", title="bits per byte")
        assert not any("Transformer" in name for name in traces(page, "size"))
        open_controls(page)
        expect(page.locator("#view-x").get_by_label("Training FLOPs")).to_be_checked()
        expect(page.locator("#view-families").get_by_label("Transformer")).not_to_be_checked()


def test_link_names_the_tab_and_opens_it(app, browser):
    with watched_page(browser, app.url, query="?tab=fits") as watched:
        wait_filled(watched.page, "Fits")
        expect(watched.page.get_by_role("tab", name="Fits", exact=True).first).to_have_attribute("aria-selected", "true")


def test_broken_link_is_explained_and_shows_the_page(app, browser):
    with watched_page(browser, app.url, query="?x=<script>alert(1)</script>&families=nonsense") as watched:
        page = watched.page
        wait_charts(page)
        expect(page.locator(".notice")).to_contain_text("<script>alert(1)</script>")
        expect(page.locator(".notice")).to_contain_text("nonsense")


def _as_json(page, names: list[str]) -> str:
    return page.evaluate("(names) => JSON.stringify(names)", names)
