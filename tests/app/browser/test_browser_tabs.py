"""Every other tab in a real browser, and every control of it."""

import shutil
from pathlib import Path

import pytest
from chromium import watched_page
from page_parts import message, open_tab, traces, wait_charts
from playwright.sync_api import Page, expect

from hf_ctxscale.app.shipped import shipped_study

pytestmark = pytest.mark.browser

MARKUP = '<script>document.title="taken"</script><img src=x onerror="document.title=1">'


def choose(page: Page, field: str, place: int) -> str:
    """Chooses the option at a place of a list, which opens in a layer over the page, and gives its text."""
    page.locator(f"#{field} input").click()
    option = page.get_by_role("option").nth(place)
    text = option.get_attribute("aria-label") or ""
    option.click()
    return text


def test_compare_shows_any_two_models_and_swaps_them(app, browser):
    with watched_page(browser, app.url) as watched:
        page = watched.page
        open_tab(page, "Compare")
        first, second = (page.locator(f"#compare-{name} input") for name in ("first", "second"))
        before = first.input_value(), second.input_value()
        assert before[0] != before[1]
        verdict = page.locator("#compare-verdict").inner_text()
        page.locator("#compare-swap").click()
        expect(first).to_have_value(before[1])
        expect(second).to_have_value(before[0])
        expect(page.locator("#compare-verdict")).not_to_have_text(verdict)
        chosen = choose(page, "compare-first", 0)
        expect(first).to_have_value(chosen)
        expect(page.locator("#compare-verdict")).to_contain_text(chosen)


def test_training_shows_the_models_that_are_chosen(app, browser):
    with watched_page(browser, app.url) as watched:
        page = watched.page
        open_tab(page, "Training")
        before = len(traces(page, "training-loss"))
        choose(page, "training-models", 0)
        page.wait_for_function(f"document.querySelector('#training-loss-chart .js-plotly-plot').data.length > {before}")


def test_slider_moves_through_training_where_curves_were_kept(app, browser):
    with watched_page(browser, app.url) as watched:
        page = watched.page
        open_tab(page, "Training")
        slider = page.locator("#training-moment input[type=range]")
        if any(shipped_study().runs.glob("*/validation_curves.parquet")):
            drawn = "JSON.stringify(document.querySelector('#training-position-chart .js-plotly-plot').data.map((one) => one.y))"
            page.locator("#training-position-chart .scatterlayer path").first.wait_for()
            before = page.evaluate(drawn)
            slider.focus()
            page.keyboard.press("Home")
            page.wait_for_function("(before) => " + drawn + " !== before", arg=before)
            expect(page.locator("#training-gap-words .sentence")).not_to_be_empty()
        else:
            expect(slider).not_to_be_visible()
            expect(page.locator("#training-note")).to_contain_text("validation losses by position")


def test_fits_are_words_first_and_tables_below(app, browser):
    with watched_page(browser, app.url) as watched:
        page = watched.page
        open_tab(page, "Fits")
        found = page.locator("#fits-found")
        for word in ("Claims", "Exponents", "Plateaus", "Crossovers", "not identifiable"):
            expect(found.get_by_text(word).first).to_be_attached()
        # Those inside others come after them, so that each is in sight when its turn comes.
        for summary in found.locator("summary").all():
            summary.click()
        for table in found.locator("table").all():
            expect(table).to_be_visible()


def test_about_names_method_limits_citation_and_commands(app, browser):
    with watched_page(browser, app.url) as watched:
        page = watched.page
        open_tab(page, "About")
        text = page.locator("#about-text")
        for word in ("Method", "Limits", "hf-ctxscale draw"):
            expect(text.get_by_text(word).first).to_be_visible()
        assert "@article" in page.locator("#about-cite textarea").input_value()


def test_read_along_reads_a_text_under_both_models(app, browser):
    with watched_page(browser, app.url) as watched:
        page = watched.page
        open_tab(page, "Read along")
        expect(page.locator("#read-along-result .paper").filter(visible=True)).to_have_count(2)
        page.locator("#read-along-choice").get_by_label("A list, three times").check()
        expect(page.locator("#read-along-result .paper").first).not_to_contain_text("WordCounter")

        # The keyboard reaches a token, and its numbers are then on the screen.
        token = page.locator("#read-along-result .paper [tabindex='0']").nth(5)
        token.focus()
        expect(token).to_be_focused()

        with page.expect_download() as download:
            page.locator("#read-along-csv").click()
        assert Path(download.value.path()).read_text().count("\n") > 20


def test_read_along_takes_a_text_of_ones_own_and_escapes_it(app, browser):
    with watched_page(browser, app.url) as watched:
        page = watched.page
        open_tab(page, "Read along")
        text = page.locator("#read-along-text textarea")
        text.fill("")
        text.press_sequentially(MARKUP)
        expect(page.locator("#read-along-choice").get_by_label("A text of your own")).to_be_checked()
        page.locator("#read-along-short input[type=number]").fill("4")
        page.locator("#read-along-short input[type=number]").blur()
        page.locator("#read-along-read").click()
        expect(page.locator("#read-along-result .paper").first).to_contain_text("onerror")
        assert page.title() not in ("taken", "1")
        assert page.locator("#read-along-result .paper :is(script, img)").count() == 0


def test_mistake_in_read_along_is_a_sentence(app, browser):
    with watched_page(browser, app.url) as watched:
        page = watched.page
        open_tab(page, "Read along")
        page.locator("#read-along-text textarea").fill("")
        page.locator("#read-along-read").click()
        expect(message(page)).to_be_visible()
        assert "Traceback" not in message(page).inner_text()


def test_csv_of_ones_own_is_fitted_shown_on_the_page_and_left_again(app, browser, tmp_path):
    table = tmp_path / "own<img src=x onerror=alert(1)>.csv"
    table.write_text("series,N,loss\n" + "".join(f"<b>a</b>,{n},{4 * (n / 1e4) ** -0.1}\n" for n in (1e4, 3e4, 1e5, 3e5, 1e6)))
    with watched_page(browser, app.url) as watched:
        page = watched.page
        open_tab(page, "Your results")
        page.locator("#your-results-csv input[type=file]").set_input_files(table)
        page.locator("#your-results-csv").get_by_text("onerror").first.wait_for()
        page.locator("#your-results-fit").click()
        expect(page.locator("#own-study")).to_contain_text("yours")
        assert page.locator("#own-study img, #your-results-status img").count() == 0
        for name in ("Charts", "Compare", "Training", "Fits"):
            page.get_by_role("tab", name=name, exact=True).first.click()
            page.wait_for_timeout(500)
            assert message(page).count() == 0, f"{name}: {message(page).first.inner_text()}"
        page.locator("#back-to-shipped").click()
        page.get_by_role("tab", name="Charts", exact=True).first.click()
        wait_charts(page)
        expect(page.locator("#own-study")).to_be_hidden()


def test_file_that_is_no_table_is_explained(app, browser, tmp_path):
    (tmp_path / "wrong.csv").write_text("colour,shape\nred,round\n")
    with watched_page(browser, app.url) as watched:
        page = watched.page
        open_tab(page, "Your results")
        page.locator("#your-results-csv input[type=file]").set_input_files(tmp_path / "wrong.csv")
        page.locator("#your-results-csv").get_by_text("wrong").first.wait_for()
        page.locator("#your-results-fit").click()
        expect(message(page)).to_contain_text("loss")


def test_study_of_ones_own_is_shown_on_every_tab(app, browser, tmp_path):
    packed = shutil.make_archive(str(tmp_path / "study"), "zip", shipped_study().folder)
    with watched_page(browser, app.url) as watched:
        page = watched.page
        open_tab(page, "Your results")
        page.get_by_role("button", name="A study folder").click()
        page.locator("#your-results-zip input[type=file]").set_input_files(packed)
        page.locator("#your-results-zip").get_by_text("study").first.wait_for()
        page.locator("#your-results-unpack").click()
        expect(page.locator("#own-study")).to_contain_text("yours", timeout=180_000)
        for name in ("Charts", "Compare", "Training", "Fits", "About"):
            open_tab(page, name)
        page.locator("#back-to-shipped").click()
        expect(page.locator("#own-study")).to_be_hidden()


def test_dataset_that_is_not_there_is_explained(app, browser):
    with watched_page(browser, app.url) as watched:
        page = watched.page
        open_tab(page, "Your results")
        page.get_by_role("button", name="A results dataset on the Hub").click()
        page.locator("#your-results-dataset input, #your-results-dataset textarea").first.fill("../../etc")
        page.locator("#your-results-fetch").click()
        expect(message(page)).to_contain_text("OWNER/NAME")
