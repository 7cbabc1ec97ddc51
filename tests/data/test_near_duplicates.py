"""Near duplicates: what resembles an earlier kept text is found, what does not is kept."""

import random

import pytest

from hf_ctxscale.data.near_duplicates import NearDuplicates, bands_and_rows


def words(seed: int, number: int = 600) -> list[str]:
    draw = random.Random(seed)
    return [f"w{draw.randrange(5000)}" for _ in range(number)]


def jaccard(first: list[str], second: list[str]) -> float:
    one, two = ({tuple(text[at : at + 5]) for at in range(len(text) - 4)} for text in (first, second))
    return len(one & two) / len(one | two)


def changed(text: list[str], share: float, *, seed: int) -> list[str]:
    draw = random.Random(seed)
    return [word if draw.random() > share else f"new{draw.randrange(10**6)}" for word in text]


def test_a_text_changed_a_little_resembles_its_first_form_and_a_text_changed_much_does_not():
    near = NearDuplicates(jaccard=0.5)
    original = words(1)
    little, much = changed(original, 0.03, seed=2), changed(original, 0.3, seed=3)
    assert jaccard(original, little) > 0.6
    assert jaccard(original, much) < 0.3
    assert near.first_like(" ".join(original), name="original") is None
    assert near.first_like(" ".join(much), name="much") is None
    assert near.first_like(" ".join(little), name="little") == "original"


@pytest.mark.parametrize("share", [0.05, 0.08, 0.1, 0.12, 0.15, 0.2])
def test_texts_are_near_duplicates_exactly_where_the_jaccard_index_says_so(share):
    for seed in range(5):
        original = words(seed)
        other = changed(original, share, seed=100 + seed)
        near = NearDuplicates(jaccard=0.5)
        near.first_like(" ".join(original), name="original")
        assert (near.first_like(" ".join(other), name="other") is not None) == (jaccard(original, other) >= 0.5)


@pytest.mark.parametrize("index", [0.3, 0.5, 0.8, 0.95])
def test_a_pair_that_is_just_alike_enough_is_hardly_ever_missed(index):
    bands, rows = bands_and_rows(index)
    assert bands * rows <= 128
    assert (1 - index**rows) ** bands <= 0.001
    assert (1 - index ** (rows + 1)) ** (128 // (rows + 1)) > 0.001


def test_the_first_kept_text_is_named_and_dropped_texts_are_not_compared_with():
    near = NearDuplicates(jaccard=0.5)
    text = " ".join(words(1))
    assert near.first_like(text, name="a") is None
    assert near.first_like(" ".join(words(2)), name="b") is None
    assert near.first_like(text, name="a") == "a"
    assert near.first_like(" ".join(words(2)), name="c") == "b"


def test_of_two_kept_texts_that_a_third_resembles_the_first_is_named():
    for first, second in (("a", "b"), ("b", "a")):
        near = NearDuplicates(jaccard=0.2)
        texts = {"a": words(1), "b": words(2)}
        assert near.first_like(" ".join(texts[first]), name=first) is None
        assert near.first_like(" ".join(texts[second]), name=second) is None
        assert near.first_like(" ".join(texts["a"][:400] + texts["b"][:400]), name="both") == first


def test_word_order_counts():
    near = NearDuplicates(jaccard=0.5)
    assert near.first_like(" ".join(words(1)), name="a") is None
    assert near.first_like(" ".join(sorted(words(1))), name="b") is None


def test_short_texts_are_alike_only_where_they_are_equal():
    near = NearDuplicates(jaccard=0.5)
    assert near.first_like("a b", name="1") is None
    assert near.first_like("a c", name="2") is None
    assert near.first_like("a b", name="3") == "1"
    assert near.first_like("", name="4") is None
