"""ReadAlong: texts and names are escaped, examples are cached and free, limits are sentences, and the API's answer is plain data."""

import base64
import csv
import io
import json
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hf_ctxscale.analysis.text_losses import TokenByToken
from hf_ctxscale.app.read_along import LONGEST_SHORT_CONTEXT_TOKENS, ReadAlong, reading_data, reading_file, reading_html
from hf_ctxscale.app.read_along_examples import EXAMPLES
from hf_ctxscale.app.settings import Limits
from hf_ctxscale.study import UserError

MARKUP = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&{{7*7}}${7*7}"


class Elements(HTMLParser):
    """What a browser would make of a page: the elements, their attributes, and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


class Models:
    """Stands in for models: every character is a token; what was asked for is noted."""

    def __init__(self, limits: dict[str, int | None] | None = None) -> None:
        self.asked: list[tuple[str, str, int]] = []
        self._limits = limits or {}

    names = ("one", "two", "short", "long", "without")

    def load(self, name: str) -> int | None:
        return self._limits.get(name)

    def read(self, name: str, text: str, *, short_context_tokens: int) -> TokenByToken:
        self.asked.append((name, text, short_context_tokens))
        count = len(text)
        losses = np.linspace(1.0, 2.0, count)
        losses[0] = np.nan
        return TokenByToken(
            model=name,
            tokenizer_fingerprint="one",
            pieces=tuple(text),
            token_ids=np.arange(count),
            num_bytes=np.array([len(letter.encode()) for letter in text]),
            full_context_tokens=np.arange(count),
            loss_full_nats=losses,
            loss_short_nats=losses + 0.25,
            short_context_tokens=short_context_tokens,
            bos_ids=(),
        )


def answers(models: Any = None, **limits: int) -> ReadAlong:
    return ReadAlong(models or Models(), limits=Limits(**limits))


def asker(session: str) -> Any:
    return SimpleNamespace(session_hash=session, client=None, headers={})


def test_markup_in_a_text_and_in_a_name_is_shown_as_text() -> None:
    html = reading_html(answers().read(MARKUP, MARKUP, "", short_context_tokens=4, request=None))
    page = Elements()
    page.feed(html)
    assert "span" in page.tags
    assert not page.tags & {"script", "img", "iframe", "object", "svg"}
    assert not [name for name in page.attributes if name.startswith("on")]
    assert page.text.count("<script>alert(1)</script>") >= 2  # the name, and nothing of the page


def test_the_same_model_twice_is_read_once_and_an_empty_name_not_at_all() -> None:
    models = Models()
    assert len(answers(models).read("abc", "one", "one", short_context_tokens=4, request=None)) == 1
    assert len(answers(models).read("abc", "one", "", short_context_tokens=4, request=None)) == 1
    assert [name for name, *_ in models.asked] == ["one", "one"]


def test_examples_are_read_once_and_do_not_count_as_requests() -> None:
    models = Models()
    reader = answers(models, readings_per_minute=1)
    for _ in range(5):
        reader.read(EXAMPLES["A list, three times"], "one", "two", short_context_tokens=16, request=asker("a"))
    assert len(models.asked) == 2


def test_an_example_under_a_model_that_is_not_listed_counts() -> None:
    reader = answers(readings_per_minute=1)
    reader.read(EXAMPLES["A list, three times"], "somebody/model", "", short_context_tokens=16, request=asker("a"))
    with pytest.raises(UserError, match="1 readings a minute are allowed"):
        reader.read(EXAMPLES["A list, three times"], "somebody/other", "", short_context_tokens=16, request=asker("a"))


def test_texts_of_visitors_are_limited_by_the_minute_and_never_kept() -> None:
    models = Models()
    reader = answers(models, readings_per_minute=2)
    for _ in range(2):
        reader.read("a secret", "one", "", short_context_tokens=4, request=asker("a"))
    with pytest.raises(UserError, match="2 readings a minute are allowed"):
        reader.read("a secret", "one", "", short_context_tokens=4, request=asker("a"))
    assert len(models.asked) == 2
    assert reader._example.cache_info().currsize == 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"text": ["a"]}, "text and models are given as text"),
        ({"first": {"path": "/etc/passwd"}}, "text and models are given as text"),
        ({"first": ""}, "no model was chosen"),
        ({"short_context_tokens": "16"}, "a short context of '16' tokens was given; give a whole number"),
        ({"short_context_tokens": True}, "a short context of True tokens was given"),
        ({"short_context_tokens": 1.5}, "a short context of 1.5 tokens was given"),
        ({"short_context_tokens": float("nan")}, "a short context of nan tokens was given"),
    ],
)
def test_what_a_program_gives_is_checked(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        answers().read(**{"text": "abc", "first": "one", "second": "", "short_context_tokens": 4, "request": None} | given)


def test_the_slider_ends_where_the_models_do() -> None:
    models = Models({"short": 4, "long": 500, "without": None})
    assert answers(models).longest_short_context(["short", "without"], request=None) == 4
    assert answers(models).longest_short_context(["long", "without"], request=None) == LONGEST_SHORT_CONTEXT_TOKENS


def test_opening_models_that_are_not_listed_is_limited_by_the_minute() -> None:
    reader = answers(readings_per_minute=1)
    for _ in range(3):
        reader.longest_short_context(["long"], request=asker("a"))
    reader.longest_short_context(["somebody/model"], request=asker("a"))
    with pytest.raises(UserError, match="1 readings a minute are allowed"):
        reader.longest_short_context(["somebody/other"], request=asker("a"))


def test_the_answer_of_the_api_is_plain_data_with_nothing_for_what_is_not_predicted() -> None:
    found = answers().read("ab", "one", "two", short_context_tokens=4, request=None)
    data = json.loads(json.dumps(reading_data(found), allow_nan=False))
    assert [model["model"] for model in data["models"]] == ["one", "two"]
    assert data["models"][0]["tokens"] == [
        {"text": "a", "full_context_tokens": 0, "loss_full_nats": None, "loss_short_nats": None},
        {"text": "b", "full_context_tokens": 1, "loss_full_nats": 2.0, "loss_short_nats": 2.25},
    ]
    assert data["models"][0]["sentence"].startswith("one: ")


def test_the_file_holds_every_token_of_both_models() -> None:
    file = reading_file(answers().read(MARKUP, "one", "two", short_context_tokens=4, request=None))
    rows = list(csv.DictReader(io.StringIO(base64.b64decode(file["base64"]).decode())))
    assert file["name"] == "read-along.csv"
    assert "".join(row["text"] for row in rows if row["model"] == "one") == MARKUP
    assert len(rows) == 2 * len(MARKUP)


def test_nothing_is_saved_before_a_text_was_read() -> None:
    with pytest.raises(UserError, match="read a text first"):
        reading_file(())


def test_the_examples_fit_the_limits_and_repeat_something() -> None:
    for text in EXAMPLES.values():
        assert len(text) <= Limits().text_characters
        longest = max((text[at : at + 20] for at in range(len(text) - 20)), key=text.count)
        assert text.count(longest) >= 2
