"""What text models are scored on: whole local corpora, test splits of named ones and of the study's own, each as tokens made once."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from hf_ctxscale.config import CorpusSettings, TokenizerSettings
from hf_ctxscale.corpora import TABLE
from hf_ctxscale.data.build import build_tokens
from hf_ctxscale.data.tokens import load_tokens
from hf_ctxscale.scoring.scored_corpus import folder_name, open_scored_corpus
from hf_ctxscale.study import Study, UserError
from tests.scoring.read_along_models import byte_fallback_tokenizer, byte_level_tokenizer
from tests.scoring.saved_models import write_documents


@pytest.fixture
def text(tmp_path) -> Path:
    return write_documents(tmp_path / "texts", num_documents=30)


@pytest.fixture
def study(tmp_path) -> Study:
    return Study(tmp_path / "study")


@pytest.fixture
def own_corpus(text, study) -> Study:
    """A study whose own corpus are the texts, two fifths of them for testing."""
    settings = CorpusSettings(path=text, validation_fraction=0.1, test_fraction=0.4)
    build_tokens(settings, TokenizerSettings(vocab_size=270), folder=study.tokens, show=lambda _: None)
    return study


def documents_of(corpus, tokenizer) -> set[str]:
    return set(corpus.tokens_of(tokenizer, show=lambda _: None).split(corpus.split).documents)


def test_a_local_folder_and_a_local_file_are_scored_whole(text, study, tmp_path):
    tokenizer = byte_level_tokenizer(tmp_path / "tokenizer")
    folder = open_scored_corpus(str(text), split=None, study=study)
    assert (folder.source.label, folder.split_name) == ("texts", "whole")
    assert documents_of(folder, tokenizer) == {file.name for file in text.iterdir()}
    file = open_scored_corpus(str(text / "3.txt"), split=None, study=study)
    assert documents_of(file, tokenizer) == {"3.txt"}


def test_a_split_of_a_local_folder_is_chosen_by_its_documents(text, study, tmp_path):
    tokenizer = byte_level_tokenizer(tmp_path / "tokenizer")
    parts = {}
    for split in ("train", "validation", "test"):
        corpus = open_scored_corpus(str(text), split=split, study=study)
        assert corpus.split_name == split
        parts[split] = documents_of(corpus, tokenizer)
    assert parts["test"]
    assert sum(map(len, parts.values())) == 30
    assert set().union(*parts.values()) == {file.name for file in text.iterdir()}


def test_a_text_column_is_chosen_by_its_name(study, tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps({"id": f"row {n}", "text": "no", "content": f"the cat {n} sat " * 40}) + "\n" for n in range(3)))
    corpus = open_scored_corpus(str(file), split=None, study=study, text_column="content")
    tokens = corpus.tokens_of(byte_level_tokenizer(tmp_path / "tokenizer"), show=lambda _: None)
    assert tokens.split("test").documents == ("row 0", "row 1", "row 2")
    assert (tokens.split("test").num_bytes == len("the cat 0 sat " * 40)).all()


def test_a_named_corpus_is_scored_by_its_test_split(study, tmp_path, monkeypatch):
    small = replace(TABLE["copy"].synthetic, num_documents=(3, 3, 3))
    monkeypatch.setitem(TABLE, "copy", replace(TABLE["copy"], synthetic=small))
    tokenizer = byte_level_tokenizer(tmp_path / "tokenizer")
    for split, expected in ((None, "test"), ("validation", "validation")):
        corpus = open_scored_corpus("copy", split=split, study=study)
        assert (corpus.source.label, corpus.split_name) == ("copy", expected)
        documents = documents_of(corpus, tokenizer)
        assert len(documents) == 3
        assert all(document.startswith(f"copy/{expected}:") for document in documents)


@pytest.mark.parametrize("named", [True, False])
def test_a_studys_own_corpus_is_scored_by_its_test_split_and_not_whole(named, own_corpus, text, tmp_path):
    """The rest is what its models were trained on."""
    corpus = open_scored_corpus(str(text) if named else None, split=None, study=own_corpus)
    assert corpus.split_name == "test"
    own = load_tokens(own_corpus.tokens).split("test").documents
    assert 0 < len(own) < 30
    assert documents_of(corpus, byte_level_tokenizer(tmp_path / "other")) == set(own)
    assert open_scored_corpus(str(text), split="validation", study=own_corpus).split_name == "validation"


def test_the_studys_own_tokens_are_used_where_they_are_the_same(own_corpus, tmp_path):
    from transformers import AutoTokenizer

    corpus = open_scored_corpus(None, split=None, study=own_corpus)
    tokens = corpus.tokens_of(AutoTokenizer.from_pretrained(own_corpus.tokenizer), show=lambda _: None)
    assert tokens.folder == own_corpus.tokens
    other = corpus.tokens_of(byte_level_tokenizer(tmp_path / "other"), show=lambda _: None)
    assert other.folder.parent == own_corpus.folder / "scored_tokens"


def test_tokens_are_made_once_for_a_text_and_a_tokenizer(text, study, tmp_path):
    said: list[str] = []
    tokenizers = byte_level_tokenizer(tmp_path / "tokenizer"), byte_fallback_tokenizer()
    corpus = open_scored_corpus(str(text), split=None, study=study)
    first, other = (corpus.tokens_of(tokenizer, show=said.append).folder for tokenizer in tokenizers)
    assert first != other
    assert [line.partition(":")[0] for line in said] == ["Tokens of texts"] * 2
    again = open_scored_corpus(str(text), split=None, study=study)
    assert [again.tokens_of(tokenizer, show=said.append).folder for tokenizer in tokenizers] == [first, other]
    assert len(said) == 2
    (text / "3.txt").write_text("another text " * 40)
    changed = open_scored_corpus(str(text), split=None, study=study)
    assert changed.tokens_of(tokenizers[0], show=said.append).folder not in (first, other)


def test_what_is_no_corpus_is_refused_in_a_sentence(study, tmp_path):
    with pytest.raises(UserError, match=r"there is no corpus 'wikitxt': it is no local file or folder, and not among .*python-stdlib.*\."):
        open_scored_corpus("wikitxt", split=None, study=study)
    with pytest.raises(
        UserError, match=r"no --corpus was given, and '.*study' is no study with a corpus of its own; name one \(.*\) or give a path"
    ):
        open_scored_corpus(None, split=None, study=study)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"empty' holds no files; give a folder of text, parquet or JSON lines files"):
        open_scored_corpus(str(tmp_path / "empty"), split=None, study=study)


@pytest.mark.parametrize(
    ("label", "folder"), [("openai/gpt2", "openai--gpt2"), ("/a b/c", "a_b--c"), ("..", "model"), ("x:y?.txt", "x_y_.txt"), ("", "model")]
)
def test_a_label_becomes_a_folder_name_that_every_system_takes(label, folder):
    assert folder_name(label) == folder
