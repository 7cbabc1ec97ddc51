"""The page and the table of a text that was read token by token."""

import csv
import math
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from hf_ctxscale.analysis.text_losses import TokenByToken
from hf_ctxscale.reporting.token_html import result_sentence, token_fragment, token_page, write_token_page
from hf_ctxscale.reporting.token_table import COLUMNS, write_token_table
from hf_ctxscale.study import UserError

PIECES = ("Hi", " <script>", "alert('x')", "</script>", "\n\n", "  ", "日", "", "", '",=1+1\r')
LOSSES = np.array([math.nan, 3.0, 2.5, 0.05, 1.5, 9.0, 4.0, 0.5, 0.2, 3.0])
GAINS = np.array([math.nan, 0.0, 0.0, 0.05, 2.5, -0.3, 0.2, -2.5, 0.7, -0.7])


def _reading(*, model: str = "org/one", pieces: Sequence[str] = PIECES, fingerprint: str = "a", **changes) -> TokenByToken:
    number = len(pieces)
    fields = {
        "model": model,
        "tokenizer_fingerprint": fingerprint,
        "pieces": tuple(pieces),
        "token_ids": np.arange(number),
        "num_bytes": np.array([len(piece.encode()) for piece in pieces]),
        "full_context_tokens": np.arange(number),
        "loss_full_nats": LOSSES[:number],
        "loss_short_nats": (LOSSES + GAINS)[:number],
        "short_context_tokens": 2,
        "bos_ids": (),
    }
    return TokenByToken(**{**fields, **changes})


class Page(HTMLParser):
    """Elements closed in order, the tokens of each running text, the cells of tables, and every attribute."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[tuple[str, str]] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.tokens: list[tuple[str, str]] = []
        self.cells: list[str] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        given = {name: value or "" for name, value in attrs}
        self.attributes += [(tag, name, value) for name, value in given.items()]
        if tag not in ("meta", "input"):
            self.open.append((tag, given.get("class", "")))
        if given.get("class") == "paper":
            self.texts.append("")
        if "data-n" in given:
            self.tokens.append((given["class"], given["data-n"]))
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        kinds = [kind for _, kind in self.open]
        if "paper" in kinds and "sign" not in kinds:
            self.texts[-1] += data
        if self.open and self.open[-1][0] in ("td", "th"):
            self.cells[-1] += data


@pytest.fixture(scope="module")
def two() -> list[TokenByToken]:
    other = _reading(model="org/<b>other", loss_full_nats=LOSSES - np.linspace(-3, 3, 10), loss_short_nats=LOSSES)
    return [_reading(), other]


def test_the_running_text_is_the_text_with_nothing_of_it_as_markup(two):
    page = Page(token_page(two))
    assert page.texts == ["".join(PIECES).replace("\r", "")] * 3, "a control character is shown as its number"
    assert not {"script", "b"} & {tag for tag, _, _ in page.attributes}
    assert "<script" not in token_page(two)
    assert "<b>" not in token_page(two)


def test_tokens_are_coloured_by_gain_and_by_loss():
    classes = [names.split() for names, _ in Page(token_page([_reading()])).tokens]
    assert [next((name for name in names if name[0] in "gh"), "") for names in classes] == [
        "",
        "",
        "",
        "",
        "g3",
        "h1",
        "g1",
        "h3",
        "g2",
        "h2",
    ]
    assert [next(name for name in names if re.fullmatch(r"l\d|n", name)) for names in classes] == (
        ["n", "l3", "l3", "l0", "l2", "l5", "l4", "l1", "l1", "l3"]
    )


def test_every_token_says_its_numbers():
    numbers = [shown for _, shown in Page(token_page([_reading()])).tokens]
    assert numbers[0] == "token 1 ‘Hi’: not predicted, since nothing stands before it"
    assert (
        numbers[1] == "token 2 ‘␣<script>’: 3.000 nats (probability 5.0 %) from the 1 token before it; full and short context are the same"
    )
    assert numbers[4] == "token 5 ‘↵↵’: 1.500 nats (probability 22.3 %) from 4 tokens, 4.000 (1.8 %) from the last 2: gain +2.500"


def test_a_first_token_after_bos_says_what_it_was_predicted_from():
    reading = _reading(loss_full_nats=np.arange(10.0), loss_short_nats=np.arange(10.0), bos_ids=(1,))
    page = Page(token_page([reading]))
    assert "from the token for the beginning of a text alone; full and short context are the same" in page.tokens[0][1]
    assert "put before every context" in page.cells
    assert page.cells[page.cells.index("put before every context") + 1] == "1 token"


def test_two_models_of_one_tokenizer_have_a_view_of_their_difference(two):
    html = token_page(two)
    page = Page(html)
    views = [value for tag, name, value in page.attributes if (tag, name) == ("input", "id")]
    assert views == ["read-along-gain", "read-along-loss", "read-along-difference"]
    classes = [names for names, _ in page.tokens[20:]]
    difference = np.linspace(-3, 3, 10)
    assert [names.split()[1] for names in classes[1:4]] == ["f3", "f2", "f2"]
    assert classes[-1] == "t s3"
    assert classes[0] == "t n"
    assert page.tokens[25][1].endswith(f"org/one 9.000 nats, org/<b>other {9 - difference[5]:.3f}: difference +{difference[5]:.3f}")
    assert "tokens are different pieces" not in html


def test_two_models_of_different_tokenizers_stand_one_under_the_other_with_bits_per_byte_and_the_reason():
    other = _reading(model="org/other", fingerprint="b", pieces=("Hi <script>", "alert('x')</script>\n\n", '  日",=1+1\r'))
    html = token_page([_reading(), other])
    page = Page(html)
    assert len(page.texts) == 2
    assert 'id="read-along-difference"' not in html
    assert "The two models have different tokenizers (10 and 3 tokens here)" in html
    bits = 5.5 / math.log(2) / (len("".join(PIECES).encode()) - len("Hi <script>"))
    at = page.cells.index("bits per byte, full context")
    assert page.cells[at + 2] == f"{bits:.3f}"
    assert f"org/other: {bits:.3f} bits per byte." in html


def test_different_texts_are_refused():
    with pytest.raises(UserError, match="were given different texts"):
        token_page([_reading(), _reading(pieces=("other", "text"))])


def test_the_sentence_says_what_the_context_bought():
    reading = _reading()
    bits = LOSSES[1:].sum() / math.log(2) / (len("".join(PIECES).encode()) - 2)
    assert result_sentence(reading) == (
        f"org/one: {bits:.3f} bits per byte. With up to 9 tokens of context instead of the last 2, the mean loss rises by {abs(GAINS[3:].mean()):.3f} nats per "
        "token, over the 7 tokens with more than 2 before them."
    )
    assert "No token has more than 9 tokens before it" in result_sentence(replace(reading, short_context_tokens=9))


def test_the_page_needs_nothing_beside_it_and_fits_a_phone(two):
    html = token_page(two)
    page = Page(html)
    assert [
        value for _, name, value in page.attributes if name in ("src", "href", "srcset", "data", "action") and not value.startswith("#")
    ] == []
    assert not {"script", "link", "iframe", "img", "object"} & {tag for tag, _, _ in page.attributes}
    assert "@import" not in html
    assert "url(" not in html
    assert "default-src 'none'" in html
    assert ("meta", "content", "width=device-width, initial-scale=1") in page.attributes


def test_every_colour_of_a_legend_and_every_switch_has_its_rule_and_its_place(two):
    html = token_page(two)
    page = Page(html)
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert {value for tag, name, value in page.attributes if (tag, name) == ("label", "for")} < set(ids)
    assert {value[1:] for _, name, value in page.attributes if name == "href"} < set(ids)
    steps = {
        value.split()[1] for tag, name, value in page.attributes if (tag, name) == ("span", "class") and re.fullmatch(r"t [a-z]\d", value)
    }
    assert steps == {*(f"{kind}{step}" for kind in "ghfs" for step in (1, 2, 3)), *(f"l{step}" for step in range(6))}
    for step in steps - {"l0"}:
        (rule,) = re.findall(rf"\.{step} {{ (.*?) }}", html)
        assert rule.startswith("background: #")
        assert ("dotted" in rule) == (step[0] in "hf"), "what is worse than zero can be told without colours"


def test_colours_of_a_legend_get_darker_step_by_step(two):
    html = token_page(two)

    def brightness(step: str) -> float:
        (colour,) = re.findall(rf"\.{step} {{ background: #(\w{{6}})", html)
        return sum(weight * int(colour[at : at + 2], 16) / 255 for weight, at in ((0.2126, 0), (0.7152, 2), (0.0722, 4)))

    for kind, numbers in (("g", (1, 2, 3)), ("h", (1, 2, 3)), ("s", (1, 2, 3)), ("f", (1, 2, 3)), ("l", (1, 2, 3, 4, 5))):
        values = [brightness(f"{kind}{number}") for number in numbers]
        assert min(-np.diff(values)) > 0.07
        assert values[-1] > 0.4, "black text can be read on the darkest"


def test_two_fragments_on_one_page_share_no_id():
    ids = [
        value for name in ("first", "second") for _, kind, value in Page(token_fragment([_reading()], name=name)).attributes if kind == "id"
    ]
    assert len(ids) == len(set(ids))


def test_every_rule_of_a_fragment_is_for_that_fragment():
    style = re.search(r"<style>(.*?)</style>", token_fragment([_reading()]), re.DOTALL)[1]
    selectors = [
        part.strip() for rule in re.findall(r"([^{}]+)\{[^{}]*\}", style.replace("@media print {", "")) for part in rule.split(",")
    ]
    assert len(selectors) > 40
    assert all(selector.startswith(".read-along") for selector in selectors)


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (("out/demo/runs/gpt2-2l/model", "out/demo/runs/lstm-1l/model"), ("gpt2-2l", "lstm-1l")),
        (("a/runs/x/model", "b/runs/x/model"), ("a/runs/x/model", "b/runs/x/model")),
        (("openai-community/gpt2", "/home/me/models/mine"), ("openai-community/gpt2", "mine")),
    ],
)
def test_models_have_short_names_that_tell_them_apart(names, labels):
    html = token_page([_reading(model=name) for name in names])
    assert f"<title>Token by token: {' and '.join(labels)}</title>" in html


def test_a_page_is_written_whole(tmp_path, two):
    write_token_page(tmp_path / "deep" / "page.html", two)
    assert (tmp_path / "deep" / "page.html").read_text(encoding="utf-8") == token_page(two)


def test_the_table_holds_every_number_and_its_texts_join_to_the_text(tmp_path, two):
    write_token_table(tmp_path / "tokens.csv", two)
    with (tmp_path / "tokens.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert [row["model"] for row in rows] == ["org/one"] * 10 + ["org/<b>other"] * 10
    assert "".join(row["text"] for row in rows[:10]) == "".join(PIECES)
    assert [row["loss_full_nats"] for row in rows[:2]] == ["", "3.0"]
    assert [float(row["gain_nats"]) for row in rows[1:10]] == (LOSSES + GAINS - LOSSES)[1:].tolist()
    assert [int(row["full_context_tokens"]) for row in rows[:10]] == list(range(10))
    assert [int(row["short_context_tokens"]) for row in rows[:10]] == [0, 1, *[2] * 8]
    assert sum(int(row["num_bytes"]) for row in rows[:10]) == len("".join(PIECES).encode())


def test_pages_load_no_torch():
    code = "import sys, hf_ctxscale.reporting.token_html, hf_ctxscale.reporting.token_table; print(sorted({'torch', 'transformers'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
