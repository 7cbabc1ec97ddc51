"""PositionSums: running sums of losses per document and context position, and their parquet file.

Letters: B blocks of a batch, D documents, T context positions (position t at index t - 1).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hf_ctxscale.columns import LOSSES_SCHEMA
from hf_ctxscale.files import write_aside
from hf_ctxscale.study import UserError


@dataclass(frozen=True)
class PositionLosses:
    """Sums of one model's losses: a row per document, a column per context position."""

    documents: tuple[str, ...]  # D
    num_blocks: np.ndarray  # (D,) int64
    num_tokens: np.ndarray  # (D, T) int64
    num_bytes: np.ndarray  # (D, T) int64; 0 where unknown
    loss_sum_nats: np.ndarray  # (D, T) float64

    @property
    def context_tokens(self) -> int:
        """T, the number of positions."""
        return int(self.num_tokens.shape[1])

    def rows(self, index_D: np.ndarray) -> "PositionLosses":
        """Some of the documents, or all in another order."""
        documents = tuple(np.asarray(self.documents, dtype=object)[index_D])
        return PositionLosses(documents, *(a[index_D] for a in (self.num_blocks, self.num_tokens, self.num_bytes, self.loss_sum_nats)))

    def aligned_to(self, documents: Sequence[str]) -> "PositionLosses":
        """The same rows in the order of ``documents``.

        Raises:
            UserError: these losses are of other documents.
        """
        if self.documents == tuple(documents):
            return self
        row = {document: d for d, document in enumerate(self.documents)}
        if set(row) != set(documents) or len(row) != len(documents):
            raise UserError(
                f"the losses are of different documents ({len(row)} and {len(documents)}, {len(set(row) & set(documents))} in common); "
                "paired differences need both models scored on the same ones: score both on the same corpus, split and windows."
            )
        return self.rows(np.array([row[document] for document in documents], dtype=np.int64))


class PositionSums:
    """Running sums of losses per document and position, in float64 with counts.

    Memory grows with the number of documents, not with the number of batches.
    """

    def __init__(self, context_tokens: int) -> None:
        assert context_tokens >= 1, context_tokens
        self.context_tokens = context_tokens
        self._row_of: dict[str, int] = {}
        self._num_blocks = np.zeros(0, dtype=np.int64)
        self._num_tokens = np.zeros((0, context_tokens), dtype=np.int64)
        self._num_bytes = np.zeros((0, context_tokens), dtype=np.int64)
        self._loss_sum = np.zeros((0, context_tokens), dtype=np.float64)

    def add(self, losses_BT: Any, *, documents: Iterable[Any], num_bytes_BT: Any = None, mask_BT: Any = None) -> None:
        """Adds a batch of blocks.

        Args:
            losses_BT: negative log-likelihood in nats, any array-like of shape (B, T).
            documents: B ids; blocks with the same id belong to the same document.
            num_bytes_BT: bytes of each target token; nothing where unknown.
            mask_BT: true where a loss counts; nothing where all do. A masked loss may be anything, NaN included.

        Raises:
            UserError: the shape is another one, or a loss that counts is not finite. Nothing was added then.
        """
        losses = np.asarray(losses_BT, dtype=np.float64)
        # .item(): numbers out of NumPy arrays and tensors are the same ids as plain ones.
        ids = [str(document.item() if hasattr(document, "item") else document) for document in documents]
        shape = (len(ids), self.context_tokens)
        if losses.shape != shape:
            raise UserError(
                f"losses have shape {losses.shape}; {shape} is needed: a row for each of the {shape[0]} documents given, "
                f"a loss for each of the {shape[1]} context positions. Pass per-token losses, not their mean."
            )
        mask = np.ones(shape, dtype=bool) if mask_BT is None else np.asarray(mask_BT).astype(bool)
        num_bytes = np.zeros(shape, dtype=np.int64) if num_bytes_BT is None else np.asarray(num_bytes_BT).astype(np.int64)
        for name, array in (("mask", mask), ("num_bytes", num_bytes)):
            if array.shape != shape:
                raise UserError(f"{name} has shape {array.shape}, the losses {shape}; give both the same shape.")
        bad = int((mask & ~np.isfinite(losses)).sum())
        if bad:
            raise UserError(f"{bad} of {losses.size} losses are not finite; mask them if they are not to count, or look for the overflow.")

        self._add(losses, ids=ids, columns=np.broadcast_to(np.arange(self.context_tokens), shape), num_bytes=num_bytes, mask=mask)

    def add_binned(
        self, losses_BT: np.ndarray, *, columns_BT: np.ndarray, documents: Sequence[str], num_bytes_BT: np.ndarray, mask_BT: np.ndarray
    ) -> None:
        """Adds a batch of blocks whose losses each belong to a column of their own choice, such as a bin of positions; the rest as for `add`.

        Args:
            columns_BT: which of the columns each loss belongs to, 0 to context_tokens - 1.
        """
        assert losses_BT.shape == columns_BT.shape == num_bytes_BT.shape == mask_BT.shape == (len(documents), losses_BT.shape[1])
        self._add(losses_BT, ids=documents, columns=columns_BT, num_bytes=num_bytes_BT, mask=mask_BT)

    def _add(self, losses: np.ndarray, *, ids: Sequence[str], columns: np.ndarray, num_bytes: np.ndarray, mask: np.ndarray) -> None:
        rows = np.array([self._row_of.setdefault(document, len(self._row_of)) for document in ids], dtype=np.int64)
        self._grow(len(self._row_of))
        # One document may own several blocks of the batch, and one column several losses of a block: add.at adds them all up.
        shape = (len(self._row_of), self.context_tokens)
        cells, counted = (rows[:, None] * self.context_tokens + columns).ravel(), mask.ravel()
        for array, values in (
            (self._num_tokens, counted),
            (self._num_bytes, np.where(mask, num_bytes, 0).ravel()),
            (self._loss_sum, np.where(mask, losses, 0.0).ravel()),
        ):
            np.add.at(array[: shape[0]].reshape(-1), cells, values)
        np.add.at(self._num_blocks, rows, 1)

    def _grow(self, num_documents: int) -> None:
        missing = num_documents - len(self._num_blocks)
        if missing <= 0:
            return
        # Doubling keeps the total cost of growing linear in the number of documents.
        rows = max(missing, len(self._num_blocks), 16)
        self._num_blocks = np.concatenate([self._num_blocks, np.zeros(rows, dtype=np.int64)])
        for name in ("_num_tokens", "_num_bytes", "_loss_sum"):
            old = getattr(self, name)
            setattr(self, name, np.concatenate([old, np.zeros((rows, self.context_tokens), dtype=old.dtype)]))

    @classmethod
    def continuing(cls, losses: PositionLosses) -> "PositionSums":
        """Sums that go on from earlier ones."""
        sums = cls(losses.context_tokens)
        sums._row_of = {document: d for d, document in enumerate(losses.documents)}
        sums._num_blocks, sums._num_tokens = losses.num_blocks.copy(), losses.num_tokens.copy()
        sums._num_bytes, sums._loss_sum = losses.num_bytes.copy(), losses.loss_sum_nats.copy()
        return sums

    def result(self) -> PositionLosses:
        """The sums so far, documents in order of first appearance."""
        num = len(self._row_of)
        arrays = (self._num_blocks, self._num_tokens, self._num_bytes, self._loss_sum)
        return PositionLosses(tuple(self._row_of), *(array[:num].copy() for array in arrays))


def merged(parts: Sequence[PositionLosses], *, order: Sequence[str]) -> PositionLosses:
    """The sums of several processes or rounds as one; documents in the order of ``order``, those without a block left out."""
    place = {document: index for index, document in enumerate(order)}
    documents = sorted({document for part in parts for document in part.documents}, key=place.__getitem__)
    row = {document: d for d, document in enumerate(documents)}
    width = parts[0].context_tokens
    whole = PositionLosses(
        tuple(documents),
        np.zeros(len(documents), dtype=np.int64),
        *(np.zeros((len(documents), width), dtype=kind) for kind in (np.int64, np.int64, np.float64)),
    )
    for part in parts:
        rows = np.array([row[document] for document in part.documents], dtype=np.int64)
        for name in ("num_blocks", "num_tokens", "num_bytes", "loss_sum_nats"):
            getattr(whole, name)[rows] += getattr(part, name)
    return whole


def save_losses(path: Path, losses: PositionLosses) -> None:
    """Writes the sums as parquet (columns.LOSSES_SCHEMA), aside and then renamed."""
    ends = np.arange(len(losses.documents) + 1, dtype=np.int32) * losses.context_tokens
    lists = [pa.ListArray.from_arrays(ends, a.reshape(-1)) for a in (losses.num_tokens, losses.num_bytes, losses.loss_sum_nats)]
    columns = [pa.array(losses.documents, pa.string()), pa.array(losses.num_blocks, pa.int64()), *lists]
    table = pa.Table.from_arrays(columns, schema=LOSSES_SCHEMA)
    write_aside(path, lambda aside: pq.write_table(table, aside))


def load_losses(path: Path) -> PositionLosses:
    """Reads what `save_losses` wrote.

    Raises:
        UserError: the file is missing or is not such a table.
    """
    if not path.is_file():
        raise UserError(f"{path} does not exist; score the model first.")
    try:
        table = pq.read_table(path).cast(LOSSES_SCHEMA)
    except ValueError as error:
        raise UserError(f"{path} is not a table of losses by position ({str(error).splitlines()[0]}); score the model again.") from None
    lists = [table[name].combine_chunks() for name in LOSSES_SCHEMA.names[2:]]
    lengths = {length.as_py() for column in lists for length in pc.unique(pc.list_value_length(column))}
    if len(lengths) != 1:
        raise UserError(f"{path} holds no documents, or rows of unequal length; score the model again.")
    sums = (column.flatten().to_numpy(zero_copy_only=False).reshape(table.num_rows, -1) for column in lists)
    return PositionLosses(tuple(table["document"].to_pylist()), table["num_blocks"].to_numpy(), *sums)
