"""Synthetic sources: what is drawn, that it is the same every time, and that no document is lost on the way to tokens."""

import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from hf_ctxscale.config import CorpusSettings, TokenizerSettings
from hf_ctxscale.corpora import TABLE, Synthetic
from hf_ctxscale.data.build import build_tokens
from hf_ctxscale.data.documents import SPLITS
from hf_ctxscale.data.sources import open_source
from hf_ctxscale.data.synthetic import draw_text, open_synthetic, symbols_of
from hf_ctxscale.data.tokens import load_tokens
from hf_ctxscale.study import UserError

SYNTHETIC = sorted(name for name, entry in TABLE.items() if entry.source == "synthetic")


def _texts(source: Synthetic, num_documents: int) -> list[str]:
    return [draw_text(source, split="test", number=number) for number in range(num_documents)]


def _numbers(text: str, source: Synthetic) -> np.ndarray:
    return np.array([symbols_of(source).index(letter) for letter in text])


@pytest.mark.parametrize("name", SYNTHETIC)
def test_documents_are_the_same_every_time_and_all_different(name):
    source = open_source(CorpusSettings(name=name))
    first, again = ([next(source.readers[split]()) for split in SPLITS] for _ in range(2))
    assert first == again
    assert [document.id for document in first] == [f"{name}/{split}:0" for split in SPLITS]
    assert len({document.text for document in first}) == len(SPLITS)
    assert all(re.fullmatch(f"[{symbols_of(TABLE[name].synthetic)}]+", document.text) for document in first)


@pytest.mark.parametrize("name", SYNTHETIC)
def test_a_document_does_not_depend_on_those_before_it(name):
    reader = open_source(CorpusSettings(name=name)).readers["validation"]()
    documents = [next(reader) for _ in range(3)]
    assert documents[2].text == draw_text(TABLE[name].synthetic, split="validation", number=2)


@pytest.mark.parametrize("name", SYNTHETIC)
def test_the_content_hash_follows_every_parameter(name):
    entry = TABLE[name]
    hashes = {open_synthetic(name, rules=entry).content_hash}
    for change in ({"seed": 1}, {"document_tokens": 2102}, {"num_documents": (4000, 100, 401)}, {"num_symbols": 7}):
        hashes.add(open_synthetic(name, rules=replace(entry, synthetic=replace(entry.synthetic, **change))).content_hash)
    assert len(hashes) == 5


@pytest.mark.parametrize("name", SYNTHETIC)
def test_no_document_is_dropped_and_every_symbol_is_one_token(name, tmp_path, monkeypatch):
    source = replace(TABLE[name].synthetic, num_documents=(60, 10, 20))
    monkeypatch.setitem(TABLE, name, replace(TABLE[name], synthetic=source))
    record = build_tokens(CorpusSettings(name=name), TokenizerSettings(vocab_size=257), folder=tmp_path / "tokens", show=lambda _: None)
    assert not any(record.dropped.values()), record.dropped
    assert record.split_rule == "the corpus's own splits"
    split = load_tokens(tmp_path / "tokens").split("test")
    assert split.documents == tuple(f"{name}/test:{number}" for number in range(20))
    assert set(split.num_tokens) == set(split.num_bytes) == {source.document_tokens}


@pytest.mark.parametrize("name", SYNTHETIC)
def test_the_end_of_text_token_falls_on_every_position_of_a_block_alike(name):
    """Else a model would learn at which position to expect it, and be wrong there about documents that go on."""
    document_tokens = TABLE[name].synthetic.document_tokens
    ends = Counter(number * (document_tokens + 1) % 256 for number in range(256))
    assert set(ends.values()) == {1}


def test_unigram_documents_have_the_spread_of_a_dirichlet_distribution():
    """A symbol's share of a document has mean 1/V and variance (1/V)(1 - 1/V) / (V alpha + 1), plus that of drawing T symbols."""
    source = Synthetic("unigram", num_symbols=5, alpha=0.6, document_tokens=400, num_documents=(0, 0, 600))
    shares_DV = np.array([np.bincount(_numbers(text, source), minlength=5) / 400 for text in _texts(source, 600)])
    mean, spread = 1 / 5, (1 / 5) * (4 / 5)
    variance = spread / (5 * 0.6 + 1) + (spread - spread / (5 * 0.6 + 1)) / 400
    # Five standard errors of 600 documents.
    np.testing.assert_allclose(shares_DV.mean(axis=0), mean, atol=5 * (variance / 600) ** 0.5)
    assert shares_DV.var(axis=0).mean() == pytest.approx(variance, rel=0.15)


def test_markov_documents_begin_anywhere_and_have_rows_of_a_dirichlet_distribution():
    source = Synthetic("markov", num_symbols=3, alpha=0.4, document_tokens=300, num_documents=(0, 0, 900))
    first_V, repeats, agreements = np.zeros(3), [], []
    for text in _texts(source, 900):
        chain = _numbers(text, source)
        first_V[chain[0]] += 1
        # The row of the first symbol is drawn without regard to what follows: its share of returns to itself at the first step is 1/V.
        repeats.append(chain[1] == chain[0])
        after = chain[1:][chain[:-1] == chain[0]]
        agreements.append(after[0] == after[1] if len(after) > 1 else np.nan)
    np.testing.assert_allclose(first_V / 900, 1 / 3, atol=5 * (2 / 9 / 900) ** 0.5)
    assert np.mean(repeats) == pytest.approx(1 / 3, abs=5 * (2 / 9 / 900) ** 0.5)
    # Two draws from one row agree with probability (alpha + 1) / (V alpha + 1).
    agree = (0.4 + 1) / (3 * 0.4 + 1)
    assert np.nanmean(agreements) == pytest.approx(agree, abs=5 * (agree * (1 - agree) / 900) ** 0.5)


def test_copy_documents_repeat_one_random_string_to_the_end():
    source = Synthetic("copy", num_symbols=6, copy_tokens=7, document_tokens=25, num_documents=(0, 0, 50))
    texts = _texts(source, 50)
    assert all(text == (text[:7] * 4)[:25] for text in texts)
    counts_V = np.bincount(np.concatenate([_numbers(text[:7], source) for text in texts]), minlength=6)
    np.testing.assert_allclose(counts_V / 350, 1 / 6, atol=5 * (5 / 36 / 350) ** 0.5)


def test_a_synthetic_corpus_with_a_path_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"corpus 'copy' is synthetic: its documents are drawn, .*; leave out 'path', or leave out 'name'"):
        open_source(CorpusSettings(name="copy", path=tmp_path))
