"""write_streams: documents to the tokens of three splits, straight to disk, a batch of text at a time."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.progress import Progress

from hf_ctxscale.data.documents import SPLITS, Document, Split
from hf_ctxscale.data.pieces import cut_into_pieces
from hf_ctxscale.data.selection import Selection
from hf_ctxscale.data.tokenizer import TextTokenizer
from hf_ctxscale.data.tokens import SplitRecord

BATCH_BYTES = 4_000_000  # text that is encoded at a time

DOCUMENTS_SCHEMA = pa.schema(
    [
        ("document", pa.string()),
        ("first_token", pa.int64()),  # index into the stream
        ("num_tokens", pa.int64()),  # without the end-of-text token that follows
        ("num_bytes", pa.int64()),  # UTF-8
    ]
)
DOCUMENTS_PER_ROW_GROUP = 20_000


class Piece(NamedTuple):
    """Some of a document's text, or all of it; ``document_bytes``: of the whole document, given with its last piece only."""

    split: Split
    document: str
    text: str
    num_bytes: int
    document_bytes: int | None


def write_streams(selection: Selection, *, tokenizer: TextTokenizer, folder: Path) -> dict[str, SplitRecord]:
    """Encodes documents into ``<split>.tokens.npy`` and ``<split>.documents.parquet``; one end-of-text token follows each document."""
    with ExitStack() as stack:
        dtype = token_dtype(tokenizer.vocab_size)
        writers = {
            split: stack.enter_context(StreamWriter(folder, split=split, dtype=dtype, end_of_text_id=tokenizer.end_of_text_id))
            for split in SPLITS
        }
        # Nothing is drawn where standard error is not a terminal.
        progress = stack.enter_context(Progress(console=Console(stderr=True), transient=True))
        task = progress.add_task("Tokenising", total=sum(selection.num_bytes.values()))
        for batch in batches(selection.documents(), cuttable=tokenizer.cuttable):
            for piece, token_ids in zip(batch, tokenizer.encode_batch([piece.text for piece in batch]), strict=True):
                writers[piece.split].add(token_ids)
                if piece.document_bytes is not None:
                    writers[piece.split].end_document(piece.document, num_bytes=piece.document_bytes)
            progress.advance(task, sum(piece.num_bytes for piece in batch))
    return {split: writer.record() for split, writer in writers.items()}


def batches(documents: Iterator[tuple[Split, Document]], *, cuttable: bool) -> Iterator[list[Piece]]:
    """The documents' pieces in order, BATCH_BYTES of text at a time or little more; a document that must not be cut is one piece."""
    batch: list[Piece] = []
    batch_bytes = 0
    for split, document in documents:
        left = document_bytes = len(document.text.encode())
        for text in cut_into_pieces(document.text) if cuttable else (document.text,):
            num_bytes = len(text.encode())
            left -= num_bytes
            batch.append(Piece(split, document.id, text, num_bytes, document_bytes if left == 0 else None))
            batch_bytes += num_bytes
            if batch_bytes >= BATCH_BYTES:
                yield batch
                batch, batch_bytes = [], 0
    if batch:
        yield batch


def token_dtype(vocab_size: int) -> np.dtype:
    """The smaller unsigned type that holds every id."""
    return np.dtype(np.uint16 if vocab_size <= 65_535 else np.uint32)


class StreamWriter:
    """Writes one split: the array, whose length is known only at the end, and the table of its documents."""

    def __init__(self, folder: Path, *, split: str, dtype: np.dtype, end_of_text_id: int) -> None:
        self._num_tokens = 0  # of the stream, end-of-text tokens included
        self._num_documents = 0
        self._num_bytes = 0
        self._longest_document_tokens = 0
        self._dtype = dtype
        self._end = np.array([end_of_text_id], dtype=dtype)
        self._document_tokens = 0
        self._rows: list[tuple[str, int, int, int]] = []
        self._tokens = (folder / f"{split}.tokens.npy").open("wb")
        self._write_header()
        self._data_start = self._tokens.tell()
        self._documents = pq.ParquetWriter(folder / f"{split}.documents.parquet", DOCUMENTS_SCHEMA)

    def add(self, token_ids: list[int]) -> None:
        """Adds tokens to the document that is being written."""
        np.array(token_ids, dtype=self._dtype).tofile(self._tokens)
        self._document_tokens += len(token_ids)

    def end_document(self, document: str, *, num_bytes: int) -> None:
        """Puts the end-of-text token after the document, and begins the next."""
        self._end.tofile(self._tokens)
        self._rows.append((document, self._num_tokens, self._document_tokens, num_bytes))
        self._num_tokens += self._document_tokens + 1
        self._num_documents += 1
        self._num_bytes += num_bytes
        self._longest_document_tokens = max(self._longest_document_tokens, self._document_tokens)
        self._document_tokens = 0
        if len(self._rows) == DOCUMENTS_PER_ROW_GROUP:
            self._write_rows()

    def record(self) -> SplitRecord:
        """What was written."""
        return SplitRecord(
            num_documents=self._num_documents,
            num_tokens=self._num_tokens,
            num_bytes=self._num_bytes,
            longest_document_tokens=self._longest_document_tokens,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if kind is None:
                assert self._document_tokens == 0, "a document was begun and not ended"
                self._write_rows()
                self._tokens.seek(0)
                self._write_header()
                assert self._tokens.tell() == self._data_start, "the header grew into the tokens"
        finally:
            self._tokens.close()
            self._documents.close()

    def _write_header(self) -> None:
        # numpy pads the header so that the first axis can grow in place.
        header = {"descr": np.lib.format.dtype_to_descr(self._dtype), "fortran_order": False, "shape": (self._num_tokens,)}
        np.lib.format.write_array_header_1_0(self._tokens, header)

    def _write_rows(self) -> None:
        if self._rows:
            columns = [
                pa.array(column, type=kind) for column, kind in zip(zip(*self._rows, strict=True), DOCUMENTS_SCHEMA.types, strict=True)
            ]
            self._documents.write_table(pa.Table.from_arrays(columns, schema=DOCUMENTS_SCHEMA))
            self._rows.clear()
