"""PackedBlocks and WithinWindows: T+1 consecutive tokens at a time, of which the first T are inputs and the last T targets."""

import hashlib

import numpy as np

from hf_ctxscale.data.tokens import TokenSplit
from hf_ctxscale.study import UserError


class PackedBlocks:
    """A split's stream in blocks that start every T tokens: every token but the first is a target exactly once.

    The tail that does not fill a block is not used: ``num_tokens_left_out`` targets.

    Raises:
        UserError: the stream is shorter than one block.
    """

    def __init__(self, split: TokenSplit, context_tokens: int) -> None:
        assert context_tokens > 0
        num_targets = max(len(split.tokens) - 1, 0)
        self.context_tokens = context_tokens
        self.num_tokens_left_out = num_targets % context_tokens
        self._tokens = split.tokens
        self._num_blocks = num_targets // context_tokens
        if self._num_blocks == 0:
            raise UserError(
                f"context_tokens={context_tokens} is more than the {split.name} split holds: {len(split.tokens)} tokens; "
                f"choose a context_tokens of at most {num_targets}, or more text."
            )

    def __len__(self) -> int:
        return self._num_blocks

    def __getitem__(self, index: int) -> np.ndarray:
        """Block ``index`` as int64, shape (T+1,)."""
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        start = index % len(self) * self.context_tokens
        return np.array(self._tokens[start : start + self.context_tokens + 1], dtype=np.int64)


class WithinWindows:
    """Blocks that each lie inside one document, away from its beginning; their targets are disjoint.

    A document of at least 2(T+1) tokens has windows every T tokens from a random offset in 1..T on. Where more fit than
    ``max_windows_per_document``, that many are taken at even steps from a random beginning, so that every window is as likely as
    any other. Both numbers come from the seed and the document's id alone: a document's windows do not depend on which others are
    there (with ``max_blocks``, only how many it gives does).

    Attributes:
        starts: (num_blocks,) index of each block's first input in the split's stream.
        document_indices: (num_blocks,) index into the split's documents, ascending.
        num_documents: with at least one block.
        num_documents_too_short: left out, shorter than 2(T+1) tokens.
    """

    def __init__(
        self, split: TokenSplit, context_tokens: int, *, max_windows_per_document: int, seed: int, max_blocks: int | None = None
    ) -> None:
        """Chooses the windows.

        Args:
            split: the token stream with its documents.
            context_tokens: T.
            max_windows_per_document: at most so many blocks from each document.
            seed: of the offsets and choices.
            max_blocks: at most so many blocks in all, taken as evenly as can be from the documents (the seed draws which ones give one
                block more); None: no limit.

        Raises:
            UserError: no document is long enough.
        """
        assert context_tokens > 0
        assert max_windows_per_document > 0
        assert max_blocks is None or max_blocks > 0
        self.context_tokens = context_tokens
        self._tokens = split.tokens
        long_enough = np.flatnonzero(split.num_tokens >= 2 * (context_tokens + 1))
        if len(long_enough) == 0:
            raise UserError(_too_long(split, context_tokens=context_tokens))
        self.num_documents_too_short = len(split.num_tokens) - len(long_enough)
        # (documents, 3) in [0, 1): offset, first choice, order among documents
        draws = np.array([_draws(split.documents[document], seed=seed) for document in long_enough])
        offsets = 1 + (draws[:, 0] * context_tokens).astype(np.int64)
        num_fitting = (split.num_tokens[long_enough] - 1 - offsets) // context_tokens
        num_taken = np.minimum(num_fitting, max_windows_per_document)
        if max_blocks is not None:
            num_taken = _share_out(max_blocks, num_available=num_taken, order=np.argsort(draws[:, 2], kind="stable"))
        self.document_indices = np.repeat(long_enough, num_taken)
        self.starts = np.concatenate(
            [
                split.first_token[document] + offset + context_tokens * _evenly(fitting, taken=taken, draw=draw)
                for document, offset, fitting, taken, draw in zip(long_enough, offsets, num_fitting, num_taken, draws[:, 1], strict=True)
            ]
        )
        self.num_documents = int(np.count_nonzero(num_taken))

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        """Block ``index`` as int64, shape (T+1,), and the index of its document in the split."""
        start = self.starts[index]
        return np.array(self._tokens[start : start + self.context_tokens + 1], dtype=np.int64), int(self.document_indices[index])


def _draws(document: str, *, seed: int) -> tuple[float, float, float]:
    """Three uniform numbers in [0, 1) that belong to a document."""
    # A hash rather than numpy's generator, whose stream may change from one version to the next.
    digest = hashlib.sha256(f"{seed}\0{document}".encode()).digest()
    first, second, third = (int.from_bytes(digest[at : at + 4], "big") / 2**32 for at in (0, 4, 8))
    return first, second, third


def _evenly(num_fitting: int, *, taken: int, draw: float) -> np.ndarray:
    """``taken`` of the numbers 0..num_fitting-1 at even steps, ascending and distinct; each is taken with the same probability."""
    chosen = ((np.arange(taken) + draw) * num_fitting / max(taken, 1)).astype(np.int64)
    return np.minimum(chosen, num_fitting - 1)


def _share_out(num_blocks: int, *, num_available: np.ndarray, order: np.ndarray) -> np.ndarray:
    """How many blocks each document gives, as evenly as can be; ``order`` says which documents give the last ones."""
    if num_available.sum() <= num_blocks:
        return num_available
    low, high = 0, int(num_available.max())  # the largest equal share that is not too much
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if np.minimum(num_available, middle).sum() <= num_blocks else (low, middle - 1)
    shares = np.minimum(num_available, low)
    with_more = order[num_available[order] > low]
    shares[with_more[: num_blocks - shares.sum()]] += 1
    return shares


def _too_long(split: TokenSplit, *, context_tokens: int) -> str:
    given = f"context_tokens={context_tokens} is longer than any document of the {split.name} split allows"
    if len(split.num_tokens) == 0:
        return f"the {split.name} split has no documents to take windows from; give more documents, or raise its fraction."
    longest = int(split.num_tokens.max())
    allowed = longest // 2 - 1
    needed = f"a document has to have 2·(context_tokens + 1) = {2 * (context_tokens + 1)} tokens, and the longest has {longest}"
    if allowed < 1:
        return f"{given}: {needed}; give longer documents."
    return f"{given}: {needed}; choose a context_tokens of at most {allowed}."
