"""Single tokens as elements of a page and as cells of a table."""

import math

import pytest

from hf_ctxscale.reporting.token_spans import difference_class, loss_class, probability, token_span, visible_text


@pytest.mark.parametrize(
    ("loss", "name"),
    [(0.0, "l0"), (0.0999, "l0"), (0.1, "l1"), (1.0, "l2"), (2.0, "l3"), (7.99, "l4"), (8.0, "l5"), (90.0, "l5"), (math.nan, "n")],
)
def test_losses_have_a_step_each(loss, name):
    assert loss_class(loss) == name


@pytest.mark.parametrize(
    ("difference", "name"),
    [
        (0.0, ""),
        (0.0999, ""),
        (-0.0999, ""),
        (0.1, "g1"),
        (-0.1, "h1"),
        (0.5, "g2"),
        (-1.99, "h2"),
        (2.0, "g3"),
        (-9.0, "h3"),
        (math.nan, ""),
    ],
)
def test_differences_have_a_step_in_their_direction(difference, name):
    assert difference_class(difference, up="g", down="h") == name


def test_text_and_numbers_of_a_token_are_escaped():
    assert token_span("<b>&'\"", classes=("g1",), numbers="\"><script>'") == (
        '<span class="t g1" tabindex="0" data-n="&#34;&gt;&lt;script&gt;&#39;">&lt;b&gt;&amp;&#39;&#34;</span>'
    )


@pytest.mark.parametrize(
    ("piece", "inner"),
    [
        (" the", " the"),
        (" ", '<span class="blank"> </span>'),
        ("a  b", 'a<span class="blank"> </span><span class="blank"> </span>b'),
        ("a\n\tb", 'a<span class="line">\n</span><span class="tab">\t</span>b'),
        (" \n", '<span class="blank"> </span><span class="line">\n</span>'),
        ("\r\n", '<span class="sign">U+000D</span><span class="line">\n</span>'),
        ("\x00", '<span class="sign">U+0000</span>'),
        ("a\u202eb", 'a<span class="sign">U+202E</span>b'),
        ("\u3000", '<span class="sign">U+3000</span>'),
        ("\u00a0", '<span class="sign">U+00A0</span>'),
        ("\ufdd0", '<span class="sign">U+FDD0</span>'),
        ("می\u200cخ", "می\u200cخ"),
        ("日🙂", "日🙂"),
    ],
)
def test_blanks_and_what_cannot_be_seen_are_marked(piece, inner):
    assert token_span(piece, classes=(), numbers="") == f'<span class="t" tabindex="0" data-n="">{inner}</span>'


def test_a_further_byte_of_a_character_is_marked():
    assert token_span("", classes=("g1", ""), numbers="4") == '<span class="t g1 more" tabindex="0" data-n="4"></span>'


@pytest.mark.parametrize(
    ("piece", "shown"), [(" a\n\t", "␣a↵⇥"), ("\x1b", "U+001B"), ("", "(further byte of the character before)"), ("<b>", "<b>")]
)
def test_a_token_in_a_table_is_one_visible_line(piece, shown):
    assert visible_text(piece) == shown


@pytest.mark.parametrize(("loss", "shown"), [(0.0, "100.0 %"), (math.log(2), "50.0 %"), (9.0, "< 0.1 %")])
def test_a_loss_is_also_a_probability(loss, shown):
    assert probability(loss) == shown
