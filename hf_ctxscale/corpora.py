"""TABLE: the corpora that a study can name, one entry each: where rows come from, how they become documents, and their splits."""

import difflib
from dataclasses import dataclass
from typing import Literal

from hf_ctxscale.study import UserError


@dataclass(frozen=True)
class Synthetic:
    """A source of symbols whose best possible loss is known at every position; scoring/exact_predictors.py makes that prediction.

    Attributes:
        kind: what every document draws for itself: ``unigram``: probabilities of the symbols from a symmetric Dirichlet distribution, and then one symbol
            after another, independently; ``markov``: a transition matrix whose rows come from that distribution, and then a chain that begins
            with any symbol, equally likely; ``copy``: a string of symbols, all equally likely, which is repeated to the end.
        num_symbols: V; each is one ASCII letter.
        document_tokens: symbols of every document.
        num_documents: of the train, validation and test split.
        alpha: concentration of the Dirichlet distribution; below 1, documents differ more.
        copy_tokens: length of the string that ``copy`` repeats.
        seed: of all documents.
    """

    kind: Literal["unigram", "markov", "copy"]
    num_symbols: int
    document_tokens: int
    num_documents: tuple[int, int, int]
    alpha: float | None = None
    copy_tokens: int | None = None
    seed: int = 0


@dataclass(frozen=True)
class Corpus:
    """How text becomes documents. `name` with `path` in the settings means: these rules on local text.

    Attributes:
        description: one line for reports, with the licence.
        source: where the text is: the running interpreter's standard library (a file is a document), a dataset of the Hub (a row is one),
            drawn when it is read (``synthetic``), or nowhere but a path (a text file is one, or a row of parquet or JSON lines).
        hub_id: the dataset, for source ``hub``; ``revision`` says which of its branches or commits.
        file_pattern: only files whose name matches belong to the corpus; None: data files by their ending.
        left_out: names of folders and files (shell patterns) that never belong to it.
        min_characters: shorter documents are dropped and counted.
        near_duplicate_jaccard: documents at least this similar to an earlier one (Jaccard index of their word 5-grams) are dropped;
            None: only exact duplicates are.
        vocab_size: a sensible vocabulary for a tokenizer trained on it.
        synthetic: what is drawn, for source ``synthetic``.
    """

    description: str
    source: Literal["standard library", "hub", "synthetic", "path"]
    hub_id: str | None = None
    revision: str | None = None
    file_pattern: str | None = None
    left_out: tuple[str, ...] = ()
    min_characters: int = 1
    near_duplicate_jaccard: float | None = None
    vocab_size: int = 2048
    synthetic: Synthetic | None = None


LOCAL_TEXT = Corpus(description="local text", source="path")

TABLE: dict[str, Corpus] = {
    "python-stdlib": Corpus(
        description="the standard library of the running Python, one document per file (PSF licence)",
        source="standard library",
        file_pattern="*.py",
        # Linux distributions leave the tests out; the rest is generated when Python is built, or is not part of the library.
        left_out=(
            *("test", "tests", "idle_test", "*_test", "__pycache__", "site-packages", "dist-packages"),
            *("config-*", "lib-dynload", "_sysconfigdata*.py", "sitecustomize.py", "usercustomize.py", "_distutils_system_mod.py"),
        ),
        min_characters=201,
        # The tables of encodings/ resemble each other at 0.5 to 0.95; other files hardly ever come near.
        near_duplicate_jaccard=0.5,
        vocab_size=1024,
    ),
    "tinyshakespeare": Corpus(
        description="Shakespeare's plays, 1.1 MB, one document (public domain)",
        source="hub",
        hub_id="karpathy/tiny_shakespeare",
        # Its parquet conversion, since when the loading script that datasets no longer runs is gone; a commit, so that it never changes.
        revision="fe12e06d82fe3af4291b90426557387520d81385",
        vocab_size=512,
    ),
    # Synthetic documents are long enough for `within` windows of 1,024 positions. With their end-of-text token they are an odd number of tokens,
    # so that it falls on every position of a block alike. A vocabulary of 257 is bytes alone: one token for each symbol. With a much smaller alpha
    # some chains would never leave their first symbol: equal documents, which would be dropped as duplicates.
    "dirichlet-unigram": Corpus(
        description="synthetic: documents of 16 symbols, each document with its own frequencies of them",
        source="synthetic",
        vocab_size=257,
        synthetic=Synthetic("unigram", num_symbols=16, alpha=0.5, document_tokens=2100, num_documents=(4000, 100, 400)),
    ),
    "dirichlet-markov": Corpus(
        description="synthetic: Markov chains of 4 symbols, each document with its own transition probabilities",
        source="synthetic",
        vocab_size=257,
        synthetic=Synthetic("markov", num_symbols=4, alpha=0.4, document_tokens=2100, num_documents=(4000, 100, 400)),
    ),
    "copy": Corpus(
        description="synthetic: a random string of 64 symbols, of 16 kinds, repeated to the end of the document",
        source="synthetic",
        vocab_size=257,
        synthetic=Synthetic("copy", num_symbols=16, copy_tokens=64, document_tokens=2100, num_documents=(4000, 100, 400)),
    ),
}


def find_corpus(name: str) -> Corpus:
    """The table's entry of that name.

    Raises:
        UserError: the table has no such entry.
    """
    if name not in TABLE:
        near = difflib.get_close_matches(name, TABLE, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise UserError(f"unknown corpus {name!r}; {hint}Allowed: {', '.join(sorted(TABLE))}, or 'path' with a local file or folder.")
    return TABLE[name]
