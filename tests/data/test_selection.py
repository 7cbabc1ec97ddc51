"""Which documents are kept, and in which split."""

import hashlib

import pytest

from hf_ctxscale.config import CorpusSettings
from hf_ctxscale.corpora import Corpus
from hf_ctxscale.data.cuts import cut_by_position
from hf_ctxscale.data.documents import Document, Source
from hf_ctxscale.data.selection import select_documents
from hf_ctxscale.study import UserError

RULES = Corpus(description="", source="path")


def source_of(**readers: list[str]) -> Source:
    """A source whose splits hold these texts; a document is named after its split and place."""

    def reader(split, texts):
        return lambda: iter([Document(f"{split}{number}", text) for number, text in enumerate(texts)])

    return Source(label="corpus", readers={split: reader(split, texts) for split, texts in readers.items()}, content_hash="")


def select(source: Source, *, rules: Corpus = RULES, validation: float = 0.05, test: float = 0.15):
    settings = CorpusSettings(path=".", validation_fraction=validation, test_fraction=test)
    return select_documents(source, settings=settings, rules=rules)


def texts_by_split(selection) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {"train": [], "validation": [], "test": []}
    for split, document in selection.documents():
        found[split].append(document.text)
    return found


def test_held_out_documents_are_chosen_by_the_hash_of_their_text():
    texts = [f"text {number}" for number in range(500)]
    expected: dict[str, list[str]] = {"train": [], "validation": [], "test": []}
    for text in texts:
        fraction = int(hashlib.sha256(text.encode()).hexdigest()[:16], 16) / 16**16
        expected["test" if fraction < 0.15 else "validation" if fraction < 0.2 else "train"].append(text)
    selection = select(source_of(train=texts))
    assert texts_by_split(selection) == expected
    # Binomial: 75 and 25 expected; four standard deviations are 32 and 20.
    assert abs(len(expected["test"]) - 75) < 32
    assert abs(len(expected["validation"]) - 25) < 20
    assert selection.num_bytes == {split: sum(len(text.encode()) for text in some) for split, some in expected.items()}


def test_a_documents_split_depends_neither_on_order_nor_on_other_documents():
    texts = [f"text {number}" for number in range(100)]
    whole = texts_by_split(select(source_of(train=texts)))
    half = texts_by_split(select(source_of(train=texts[::-2])))
    for split, some in half.items():
        assert set(some) <= set(whole[split])


def test_empty_documents_and_copies_are_dropped_and_counted_and_the_first_is_kept():
    texts = ["", " \n", *(f"text {number}" for number in range(20)), "text 3", "text 3", "text 4"]
    selection = select(source_of(train=texts), test=0, validation=0)
    assert [document.id for _, document in selection.documents()] == [f"train{number}" for number in range(2, 22)]
    assert (selection.dropped.empty, selection.dropped.exact_duplicates) == (2, 3)


def test_documents_shorter_than_the_corpus_allows_are_dropped_and_counted():
    selection = select(
        source_of(train=["a" * 200, "a" * 201, "b" * 300]), rules=Corpus(description="", source="path", min_characters=201), test=0
    )
    assert sum(len(some) for some in texts_by_split(selection).values()) == 2
    assert selection.dropped.too_short == 1


def test_a_corpus_with_its_own_splits_keeps_them():
    texts = {split: [f"{split} {number}" for number in range(30)] for split in ("train", "validation", "test")}
    assert texts_by_split(select(source_of(**texts))) == texts


def test_a_training_document_that_also_stands_in_validation_or_test_is_dropped_from_training():
    selection = select(source_of(train=["a", "b", "c", "d", "d"], validation=["v", "b", "t"], test=["t", "a"]))
    assert texts_by_split(selection) == {"train": ["c", "d"], "validation": ["v", "b"], "test": ["t", "a"]}
    assert (selection.dropped.also_held_out, selection.dropped.exact_duplicates) == (2, 2)


@pytest.mark.parametrize(("own", "lacking"), [("test", "validation"), ("validation", "test")])
def test_a_split_that_is_lacking_is_taken_from_training_by_hash_and_the_other_is_left_alone(own, lacking):
    texts = [f"text {number}" for number in range(300)]
    by_hash = texts_by_split(select(source_of(train=texts)))
    found = texts_by_split(select(source_of(train=texts, **{own: ["held out"]})))
    assert found[own] == ["held out"]
    assert found[lacking] == by_hash[lacking]
    assert sorted(found["train"]) == sorted(by_hash["train"] + by_hash[own])


def test_no_text_stands_in_two_splits():
    texts = [f"text {number % 150}" for number in range(400)]
    found = texts_by_split(select(source_of(train=texts, test=texts[:20])))
    assert len(set().union(*found.values())) == sum(len(some) for some in found.values()) == 150


def test_near_duplicates_are_dropped_across_splits_and_the_pair_is_recorded():
    long = " ".join(f"word{number}" for number in range(300))
    rules = Corpus(description="", source="path", near_duplicate_jaccard=0.5)
    selection = select(source_of(train=["other " * 3, long + " changed"], test=[long]), rules=rules, validation=0)
    assert texts_by_split(selection) == {"train": ["other " * 3], "validation": [], "test": [long]}
    assert selection.near_duplicates == (("train1", "test0"),)
    assert selection.dropped.near_duplicates == 1


def test_ids_that_are_there_twice_get_a_number():
    source = Source(
        label="corpus",
        readers={"train": lambda: iter([Document(name, f"text {number}") for number, name in enumerate(["a", "a", "b", "a (2)", "a"])])},
        content_hash="",
    )
    assert [document.id for _, document in select(source, test=0, validation=0).documents()] == ["a", "a (2)", "b", "a (2) (2)", "a (3)"]


def test_a_single_document_is_cut_by_position_into_80_5_and_15_percent_at_line_ends():
    text = "".join(f"line {number:05d}\n" for number in range(1000))
    selection = select(source_of(train=["", text, text]))
    parts = list(selection.documents())
    assert [(split, document.id) for split, document in parts] == [(split, f"train1:{split}") for split in ("train", "validation", "test")]
    assert "".join(document.text for _, document in parts) == text
    assert [len(document.text) // 11 for _, document in parts] == [800, 50, 150]
    assert all(document.text.endswith("\n") for _, document in parts)
    assert selection.num_bytes == {split: len(document.text.encode()) for split, document in parts}
    assert list(selection.training_texts()) == [parts[0][1].text]


def test_two_documents_are_not_cut():
    text = "line\n" * 1000
    assert select(source_of(train=[text, text + "more"]), test=0).cut == ()


def test_a_single_training_document_gives_the_split_that_is_lacking():
    text = "line\n" * 1000
    found = texts_by_split(select(source_of(train=[text], test=["held out"])))
    assert found == {"train": ["line\n" * 950], "validation": ["line\n" * 50], "test": ["held out"]}


def test_a_text_without_line_ends_is_cut_where_the_fractions_fall():
    settings = CorpusSettings(path=".", validation_fraction=0.05, test_fraction=0.15)
    assert cut_by_position("x" * 1000, settings=settings, lacking=("validation", "test")) == (
        ("train", 800),
        ("validation", 850),
        ("test", 1000),
    )
    # A line end far away does not count.
    text = "x\n" + "x" * 99_998
    assert cut_by_position(text, settings=settings, lacking=("test",)) == (("train", 85_000), ("test", 100_000))
    assert cut_by_position("x", settings=settings, lacking=("validation", "test")) == (("train", 1),)


def test_an_empty_corpus_is_named():
    with pytest.raises(UserError, match=r"corpus 'corpus' is empty: of its 2 documents 2 are empty and 0 are shorter"):
        select(source_of(train=["", "  "]))
    with pytest.raises(UserError, match=r"corpus 'corpus' is empty: of its 0 documents"):
        select(source_of(train=[]))


def test_no_training_document_left_is_an_error_that_names_the_fractions():
    with pytest.raises(
        UserError,
        match=r"no training document left: its 2 documents .*validation_fraction=0.05, test_fraction=0.15.* and 2 more are copies",
    ):
        select(source_of(train=["a", "b"], test=["a"], validation=["b"]))
    texts = [f"text {number}" for number in range(5)]
    with pytest.raises(UserError, match=r"its 5 documents are all held out .*test_fraction=0.99.*lower the fractions"):
        select(source_of(train=texts), validation=0, test=0.99)


def test_half_a_surrogate_pair_is_named_with_its_document():
    with pytest.raises(UserError, match=r"document 'train1' holds half a surrogate pair at character 2"):
        select(source_of(train=["a", "bc\ud800"]))
