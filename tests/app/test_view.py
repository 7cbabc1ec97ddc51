"""Links: what a view says comes back as it was; what is unknown or broken is ignored, and a notice says so."""

from dataclasses import replace
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_ctxscale.app.view import from_query, to_query
from hf_ctxscale.charts.chosen_view import View, ViewChoices

CHOICES = ViewChoices(families=("lstm", "gpt2"), depths=(1, 2, 4), sizes=("26K", "1.5M"), seeds=(0, 1))
TABS = ("charts", "compare")


def read(query):
    return from_query(query, choices=CHOICES, tabs=TABS)


def several(values):
    return st.none() | st.lists(st.sampled_from(values), unique=True).map(lambda chosen: tuple(one for one in values if one in chosen))


VIEWS = st.builds(
    View,
    x=st.sampled_from(("body_params", "total_params", "train_flops", "train_seconds")),
    unit=st.sampled_from(("nats", "bits_per_byte")),
    size_x_log=st.booleans(),
    size_y_log=st.booleans(),
    position_x_log=st.booleans(),
    position_y_log=st.booleans(),
    families=several(CHOICES.families),
    depths=several(CHOICES.depths),
    sizes=several(CHOICES.sizes),
    seeds=several(CHOICES.seeds),
    fits=st.booleans(),
    bands=st.booleans(),
    paper=st.booleans(),
)


@given(view=VIEWS, tab=st.sampled_from((None, *TABS)))
def test_every_view_comes_back_from_its_link(view, tab):
    opened = read(f"?{to_query(view, tab=tab)}")
    assert (opened.view, opened.tab, opened.notices) == (view, tab, ())


def test_first_sight_has_an_empty_link():
    assert to_query(View()) == ""
    assert read("").view == View()


def test_link_is_short_and_can_be_read():
    view = replace(View(), x="train_flops", families=("lstm",), sizes=("26K", "1.5M"))
    assert to_query(view, tab="charts") == "tab=charts&x=flops&families=lstm&sizes=26K,1.5M"


@pytest.mark.parametrize(
    ("query", "notice"),
    [
        ("x=seven", "The link's x='seven' is not known here and was ignored; allowed: body, total, flops, seconds."),
        ("tab=secret", "The link's tab='secret' is not known here and was ignored; allowed: charts, compare."),
        ("depths=3", "The link's depths='3' is not known here and was ignored; allowed: 1, 2, 4."),
        (
            "colour=red",
            "The link's 'colour' is not known here and was ignored; allowed: tab, x, y, log, with, families, depths, sizes, seeds.",
        ),
    ],
)
def test_what_is_unknown_is_ignored_and_said(query, notice):
    opened = read(query)
    assert (opened.view, opened.tab, opened.notices) == (View(), None, (notice,))


def test_what_is_known_beside_something_unknown_holds():
    opened = read("depths=2,9&x=total")
    assert opened.view == View(x="total_params", depths=(2,))
    assert len(opened.notices) == 1


def test_long_nonsense_is_not_quoted_in_full():
    assert len(read(f"x={'a' * 5000}").notices[0]) < 200


def test_what_the_frame_of_the_hub_adds_is_not_complained_of():
    assert read("__theme=dark&__sign=abc").notices == ()


@given(text=st.text(max_size=200))
def test_no_text_breaks_the_page(text):
    for query in (text, f"?x={quote(text)}&sizes={quote(text)}&log={quote(text)}"):
        assert isinstance(read(query).view, View)
