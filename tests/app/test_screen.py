"""shown_figure: a phone gets its own layout; on dark paper every text and line can be read."""

import re
from itertools import pairwise

import pytest
from matplotlib.colors import to_rgb

from hf_ctxscale.app.explore import explore
from hf_ctxscale.app.screen import DARK_PAPER, MIN_CONTRAST, Screen, contrast, on_dark, shown_figure, shown_parts
from hf_ctxscale.architectures import TABLE
from hf_ctxscale.charts.chart_data import Axis, Chart, Line, Panel
from hf_ctxscale.charts.chosen_view import View

LOG_CHART = Chart("a", "A", "", (Panel(Axis("x", log=True), Axis("y"), (Line((1.0, 100.0), (1.0, 2.0), "#08417c", name="one"),)),))


@pytest.fixture(scope="module")
def charts(shipped):
    drawn = explore(shipped, View(paper=True))
    return drawn.size, drawn.position


def colours_of(value, key=""):
    """Every colour of a figure, with its key."""
    if isinstance(value, dict):
        return [found for name, part in value.items() for found in colours_of(part, name)]
    if isinstance(value, list):
        return [found for part in value for found in (colours_of(part, key) if isinstance(part, (dict, list)) else [])]
    return [(key, value)] if key.endswith("color") and isinstance(value, str) else []


def rgb_of(colour):
    parts = re.fullmatch(r"rgba?\((\d+), (\d+), (\d+)(?:, ([\d.]+))?\)", colour)
    return tuple(int(part) / 255 for part in parts.groups()[:3])


@pytest.mark.parametrize("colour", [colour for family in TABLE.values() for colour in family.colours] + ["#222222", "#595959", "black"])
def test_colour_of_a_line_or_a_text_can_be_read_on_dark_paper(colour):
    assert contrast(rgb_of(on_dark(colour)), to_rgb(DARK_PAPER)) >= MIN_CONTRAST


def test_white_becomes_the_paper_and_a_transparent_colour_stays_transparent():
    assert rgb_of(on_dark("white")) == pytest.approx(to_rgb(DARK_PAPER), abs=1 / 255)
    assert on_dark("rgba(255, 255, 255, 0.7)").endswith(", 0.7)")


def test_sizes_of_a_family_are_told_apart_on_dark_paper_too():
    for family in TABLE.values():
        brightness = [sum(rgb_of(on_dark(colour))) for colour in family.colours]
        assert all(later - earlier > 0.15 for earlier, later in pairwise(brightness)), family.label


def test_every_text_of_a_dark_figure_can_be_read(charts):
    for chart in charts:
        layout = shown_parts(chart, screen=Screen(dark=True))["layout"]
        texts = [note["font"]["color"] for note in layout["annotations"] if note.get("text")] + [layout["font"]["color"]]
        assert texts
        assert all(contrast(rgb_of(colour), to_rgb(DARK_PAPER)) >= MIN_CONTRAST for colour in texts)
        assert rgb_of(layout["paper_bgcolor"]) == pytest.approx(to_rgb(DARK_PAPER), abs=1 / 255)


def test_no_colour_of_a_dark_figure_is_left_as_it_was(charts):
    for chart in charts:
        light = colours_of(shown_parts(chart, screen=Screen()))
        dark = colours_of(shown_parts(chart, screen=Screen(dark=True)))
        assert [key for key, _ in light] == [key for key, _ in dark]
        assert all(colour.startswith("rgb") for _, colour in dark)


def test_phone_names_lines_in_the_legend_and_wide_page_at_their_ends(charts):
    for chart in charts:
        wide, phone = (shown_parts(chart, screen=Screen(narrow=narrow)) for narrow in (False, True))
        assert any(note.get("arrowcolor") for note in wide["layout"]["annotations"])
        assert not any(note.get("arrowcolor") for note in phone["layout"]["annotations"])
        assert any(trace.get("showlegend") and trace["x"] != [None] for trace in phone["data"])
        assert not any(trace.get("showlegend") and trace["x"] != [None] for trace in wide["data"])


def test_line_without_a_label_is_in_the_legend_of_a_wide_page():
    assert shown_parts(LOG_CHART, screen=Screen())["data"][0]["showlegend"]


def test_logarithmic_axes_can_be_zoomed_on_a_wide_page_but_not_on_a_phone():
    wide, phone = (shown_parts(LOG_CHART, screen=Screen(narrow=narrow))["layout"]["xaxis"] for narrow in (False, True))
    assert (wide["fixedrange"], phone["fixedrange"]) == (False, True)


def test_figure_is_one_that_plotly_accepts(charts):
    for chart in charts:
        for screen in (Screen(), Screen(narrow=True, dark=True)):
            assert len(shown_figure(chart, screen=screen).data) == len(shown_parts(chart, screen=screen)["data"])
