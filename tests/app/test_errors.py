"""shown: a visitor reads the sentence of a UserError, escaped, and nothing from inside of any other error."""

import inspect
import logging

import gradio as gr
import pytest

from hf_ctxscale.app.errors import BROKEN, shown
from hf_ctxscale.study import UserError


@shown
def event(what: str) -> str:
    if what == "user":
        raise UserError("no model is called <b>x</b>; choose one of the list.")
    if what == "broken":
        raise KeyError("/srv/secret/path")
    if what == "gradio":
        raise gr.Error("as it is")
    return what


def test_value_passes_through():
    assert event("fine") == "fine"


def test_sentence_of_a_user_error_is_shown_escaped_until_it_is_closed():
    with pytest.raises(gr.Error) as raised:
        event("user")
    assert raised.value.message == "no model is called &lt;b&gt;x&lt;/b&gt;; choose one of the list."
    assert raised.value.duration is None


def test_other_error_is_shown_without_what_is_inside_and_its_kind_and_place_alone_are_logged(caplog):
    with caplog.at_level(logging.ERROR), pytest.raises(gr.Error) as raised:
        event("broken")
    assert raised.value.message == BROKEN
    assert "KeyError at " in caplog.text
    assert "test_errors.py:" in caplog.text
    assert "/srv/secret/path" not in caplog.text


def test_error_of_gradio_stays_as_it_is():
    with pytest.raises(gr.Error, match="as it is"):
        event("gradio")


def test_gradio_still_sees_the_arguments():
    assert list(inspect.signature(event).parameters) == ["what"]
