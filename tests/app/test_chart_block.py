"""ChartBlock: figure, sentence, table and downloads of a chart; whatever is written in it is text, not markup."""

import base64
import gc
import json
import weakref
from dataclasses import replace

import gradio as gr
import pytest

from hf_ctxscale.app.chart_block import _MADE, ChartBlock, saved_file
from hf_ctxscale.app.explore import explore
from hf_ctxscale.app.screen import Screen
from hf_ctxscale.charts.chart_data import Axis, Chart, Line, Panel
from hf_ctxscale.charts.chosen_view import View
from hf_ctxscale.study import UserError

MARKUP = "<img src=x onerror=alert(1)>"
HOSTILE = Chart(
    "a",
    MARKUP,
    MARKUP,
    (Panel(Axis(MARKUP, log=True), Axis(MARKUP), (Line((1.0,), (2.0,), "#08417c", name=MARKUP, label=MARKUP, marker="o"),)),),
)


@pytest.fixture(scope="module")
def block():
    with gr.Blocks():
        return ChartBlock("size", label="loss by size")


def test_values_fill_the_outputs(block):
    plot, words, table, drawn, frame = block.values(HOSTILE, screen=Screen(), sentence="It falls.")
    assert len(block.outputs) == len(block.nothing()) == 5
    assert frame.visible
    assert not block.nothing()[-1].visible
    assert drawn is HOSTILE
    assert '<p class="sentence">It falls.</p>' in words
    assert set(json.loads(plot.plot)) == {"data", "layout", "config"}
    assert "<table>" in table


def test_markup_is_written_and_not_obeyed(block):
    plot, words, table, *_ = block.values(HOSTILE, screen=Screen(), sentence=MARKUP)
    figure = json.loads(plot.plot)
    # What ties traces together is shown nowhere.
    assert any(trace.pop("legendgroup", None) for trace in figure["data"])
    assert "<img" not in words + table + json.dumps(figure)
    assert "&lt;img" in words
    assert "&lt;img" in table


def test_text_for_screen_readers_says_what_is_drawn_and_where_its_numbers_are(block, shipped):
    drawn = explore(shipped, View())
    _, words, table, *_ = block.values(drawn.size, screen=Screen())
    assert 'id="size-text" class="for-screen-readers"' in words
    assert drawn.size.title in words
    assert f"holds its {table.count('<tr>') - 1} points" in words


def test_table_has_headings_a_caption_and_can_be_scrolled_with_the_keyboard(block):
    _, _, table, *_ = block.values(HOSTILE, screen=Screen())
    assert table.count('<th scope="col">') == 5
    assert "<caption>" in table
    assert 'tabindex="0"' in table
    assert 'role="region"' in table


def test_phone_has_no_bar_of_buttons_on_the_chart(block):
    plots = [json.loads(block.values(HOSTILE, screen=Screen(narrow=narrow))[0].plot)["config"] for narrow in (False, True)]
    assert [config.get("displayModeBar") for config in plots] == [None, False]
    assert not any(config["displaylogo"] for config in plots)


@pytest.mark.parametrize(("form", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("csv", b"series,")])
def test_chart_is_saved_in_every_form(shipped, form, start):
    file = saved_file(explore(shipped, View()).size, form)
    assert file["name"] == f"loss_vs_parameters.{form}"
    assert base64.b64decode(file["base64"]).startswith(start)


def test_saved_drawing_obeys_no_markup():
    assert b"<img" not in base64.b64decode(saved_file(HOSTILE, "svg")["base64"])


def test_nothing_can_be_saved_before_there_is_a_chart():
    with pytest.raises(UserError, match="no chart to save yet"):
        saved_file(None, "png")


def test_nothing_of_a_chart_is_kept_once_nobody_holds_it(block):
    made = weakref.ref(chart := replace(HOSTILE, title="of a visitor"))
    block.values(chart, screen=Screen())
    assert chart in _MADE
    del chart
    gc.collect()
    assert made() is None
    assert not [kept for kept in _MADE if kept.title == "of a visitor"]
