"""open_synthetic: documents drawn from a source whose best possible loss is known, each from a seed of its own, the same every time."""

import hashlib
import json
import string
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial

import numpy as np

from hf_ctxscale.corpora import Corpus, Synthetic
from hf_ctxscale.data.documents import SPLITS, Document, Source, Split


def open_synthetic(name: str, *, rules: Corpus) -> Source:
    """The documents of a synthetic corpus, drawn one at a time as they are asked for, with splits of their own.

    The content hash is of the parameters and of each split's first document: numpy may one day draw other numbers from the same seed.
    """
    source = rules.synthetic
    assert source is not None, name
    first = [draw_text(source, split=split, number=0) for split in SPLITS]
    return Source(
        label=name,
        readers={split: partial(_documents, source, name=name, split=split) for split in SPLITS},
        content_hash=hashlib.sha256(json.dumps([asdict(source), first]).encode()).hexdigest(),
        versions={"numpy": np.__version__},
    )


def symbols_of(source: Synthetic) -> str:
    """Its V symbols, one ASCII letter each, in the order of their numbers."""
    assert source.num_symbols <= len(string.ascii_letters), source.num_symbols
    return string.ascii_letters[: source.num_symbols]


def draw_text(source: Synthetic, *, split: Split, number: int) -> str:
    """The text of one document, which depends on no other document."""
    draw = np.random.default_rng(np.random.SeedSequence([source.seed, SPLITS.index(split), number]))
    letters = np.frombuffer(symbols_of(source).encode(), dtype=np.uint8)
    return letters[_draw_symbols(source, draw)].tobytes().decode()


def _documents(source: Synthetic, *, name: str, split: Split) -> Iterator[Document]:
    for number in range(source.num_documents[SPLITS.index(split)]):
        yield Document(f"{name}/{split}:{number}", draw_text(source, split=split, number=number))


def _draw_symbols(source: Synthetic, draw: np.random.Generator) -> np.ndarray:
    """Numbers of the symbols of one document, (document_tokens,)."""
    if source.kind == "copy":
        assert source.copy_tokens is not None
        return np.resize(draw.integers(source.num_symbols, size=source.copy_tokens), source.document_tokens)
    assert source.alpha is not None
    alpha_V = np.full(source.num_symbols, source.alpha)
    if source.kind == "unigram":
        return draw.choice(source.num_symbols, size=source.document_tokens, p=draw.dirichlet(alpha_V))
    return _chain(draw.dirichlet(alpha_V, size=source.num_symbols), draw.random(source.document_tokens))


def _chain(transitions_VV: np.ndarray, uniform_T: np.ndarray) -> np.ndarray:
    """A Markov chain through the inverse distribution function; the first symbol is any, equally likely."""
    # Without the last column, whose sum may be rounded below 1. Lists, since one step is too little work for numpy.
    cumulative = np.cumsum(transitions_VV, axis=1)[:, :-1].tolist()
    symbol = int(uniform_T[0] * len(cumulative))
    chain = [symbol]
    for uniform in uniform_T[1:].tolist():
        symbol = bisect_right(cumulative[symbol], uniform)
        chain.append(symbol)
    return np.array(chain)
