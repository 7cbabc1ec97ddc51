"""load_tokens: a study's token streams, memory-mapped, with their tokenizer and the record of how they were made."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, ValidationError

from hf_ctxscale.data.documents import SPLITS, Split
from hf_ctxscale.study import UserError

TOKENS_FORMAT = 1
RECORD_NAME = "corpus.json"


class SplitRecord(BaseModel):
    """What one split holds."""

    model_config = ConfigDict(extra="forbid")

    num_documents: int
    num_tokens: int  # of the stream: one end-of-text token per document included
    num_bytes: int  # of the documents' text, UTF-8
    longest_document_tokens: int


class TokenRecord(BaseModel):
    """What ``tokens/corpus.json`` holds: where the tokens come from and how they were made."""

    model_config = ConfigDict(extra="forbid")

    format: int = TOKENS_FORMAT
    fingerprint: str  # hash of decided_by
    decided_by: dict[str, Any]  # all that the tokens depend on, the text by its hash
    corpus: str  # the corpus's name, or that of its file or folder
    corpus_settings: dict[str, Any]
    tokenizer_settings: dict[str, Any]
    # the text
    source_files: int | None
    source_versions: dict[str, str]  # of what the text belongs to
    packages: dict[str, str]  # that had a part in it
    split_rule: str
    splits: dict[str, SplitRecord]
    dropped: dict[str, int]  # documents left out, by reason
    near_duplicate_rule: str | None
    near_duplicates: list[tuple[str, str]]  # what was dropped and the earlier document it resembles
    # the tokenizer
    vocab_size: int
    end_of_text: str
    end_of_text_id: int
    tokenizer_trained_bytes: int | None  # None: it was not trained here
    bytes_rule: Literal["exact", "approximate"]  # approximate: ids were decoded one by one, and their bytes need not add up to the text's
    notes: list[str]


@dataclass(frozen=True)
class TokenSplit:
    """One split's stream: the tokens of every document, each followed by one end-of-text token.

    Attributes:
        tokens: (N,) unsigned integers, memory-mapped.
        documents: D ids.
        first_token: (D,) index of each document's first token.
        num_tokens: (D,) tokens of each document, without the end-of-text token.
        num_bytes: (D,) bytes of each document's text.
    """

    name: str
    tokens: np.ndarray
    documents: tuple[str, ...]
    first_token: np.ndarray
    num_tokens: np.ndarray
    num_bytes: np.ndarray

    def only(self, documents: Collection[str]) -> "TokenSplit":
        """The same stream with some of its documents."""
        index = np.array([d for d, document in enumerate(self.documents) if document in documents], dtype=np.int64)
        kept = tuple(self.documents[d] for d in index)
        return replace(
            self, documents=kept, first_token=self.first_token[index], num_tokens=self.num_tokens[index], num_bytes=self.num_bytes[index]
        )


@dataclass(frozen=True)
class Tokens:
    """The study's tokens."""

    folder: Path
    record: TokenRecord

    @property
    def tokenizer_folder(self) -> Path:
        """An ordinary Hugging Face folder."""
        return self.folder / "tokenizer"

    @property
    def vocab_size(self) -> int:
        """Number of ids."""
        return self.record.vocab_size

    @property
    def end_of_text_id(self) -> int:
        """The token that follows every document."""
        return self.record.end_of_text_id

    @cached_property
    def num_bytes_by_id(self) -> np.ndarray:
        """Bytes of text that each id stands for, shape (vocab,); 0 for special ids."""
        return np.load(self.folder / "num_bytes_by_id.npy")

    @cached_property
    def tokenizer_fingerprint(self) -> str:
        """Of how a text becomes these tokens (data/tokenizer.py)."""
        import tokenizers  # readers of blocks do without

        from hf_ctxscale.data.tokenizer import text_fingerprint

        backend = tokenizers.Tokenizer.from_file(str(self.tokenizer_folder / "tokenizer.json"))
        return text_fingerprint(backend, end_of_text=self.record.end_of_text)

    def split(self, name: Split) -> TokenSplit:
        """One of the three token streams."""
        assert name in SPLITS, name
        file = self.folder / f"{name}.tokens.npy"
        # An empty array cannot be mapped.
        tokens = np.load(file, mmap_mode="r" if self.record.splits[name].num_tokens else None)
        table = pq.read_table(self.folder / f"{name}.documents.parquet")
        assert len(tokens) == self.record.splits[name].num_tokens, f"{file} is not as long as its record says"
        return TokenSplit(
            name=name,
            tokens=tokens,
            documents=tuple(table["document"].to_pylist()),
            first_token=table["first_token"].to_numpy(),
            num_tokens=table["num_tokens"].to_numpy(),
            num_bytes=table["num_bytes"].to_numpy(),
        )


def load_tokens(folder: Path) -> Tokens:
    """The tokens that ``build_tokens`` wrote.

    Raises:
        UserError: there are none.
    """
    record = read_token_record(folder)
    if record is None:
        raise UserError(f"{str(folder)!r} holds no tokens; make them with `hf-ctxscale run CONFIG --out STUDY`.")
    return Tokens(folder, record)


def read_token_record(folder: Path) -> TokenRecord | None:
    """The record of finished tokens; None where there are none. It is written last, so that half-written tokens have none.

    Raises:
        UserError: the record is there and cannot be read.
    """
    file = folder / RECORD_NAME
    if not file.is_file():
        return None
    try:
        return TokenRecord.model_validate_json(file.read_text(encoding="utf-8"))
    except (ValidationError, ValueError):
        raise UserError(
            f"{str(file)!r} is not a record that this version of hf-ctxscale reads (format {TOKENS_FORMAT}); "
            f"delete the folder {str(folder)!r} to make the tokens again, or use another --out."
        ) from None
