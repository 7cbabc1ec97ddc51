"""TABLE: the corpora that a study can name, one entry each: where rows come from, how they become documents, and their splits."""

import difflib
from dataclasses import dataclass
from typing import Literal

from hf_ctxscale.study import UserError


@dataclass(frozen=True)
class Corpus:
    """How text becomes documents. `name` with `path` in the settings means: these rules on local text.

    Attributes:
        description: one line for reports, with the licence.
        source: where the text is: the running interpreter's standard library (a file is a document), a dataset of the Hub (a row is one),
            or nowhere but a path (a text file is one, or a row of parquet or JSON lines).
        hub_id: the dataset, for source ``hub``; ``revision`` says which of its branches or commits.
        file_pattern: only files whose name matches belong to the corpus; None: data files by their ending.
        left_out: names of folders and files (shell patterns) that never belong to it.
        min_characters: shorter documents are dropped and counted.
        near_duplicate_jaccard: documents at least this similar to an earlier one (Jaccard index of their word 5-grams) are dropped;
            None: only exact duplicates are.
        vocab_size: a sensible vocabulary for a tokenizer trained on it.
    """

    description: str
    source: Literal["standard library", "hub", "path"]
    hub_id: str | None = None
    revision: str | None = None
    file_pattern: str | None = None
    left_out: tuple[str, ...] = ()
    min_characters: int = 1
    near_duplicate_jaccard: float | None = None
    vocab_size: int = 2048


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
