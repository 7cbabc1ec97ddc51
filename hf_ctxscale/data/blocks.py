"""PackedBlocks and WithinWindows: T+1 consecutive tokens at a time, of which the first T are inputs and the last T targets."""

import hashlib
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from hf_ctxscale.data.tokens import TokenSplit
from hf_ctxscale.study import UserError

NOT_SCORED = -1


@dataclass(frozen=True)
class Window:
    """A block to be scored.

    Attributes:
        block: (T+1,) int64; behind the end of the text, any token.
        document_T: (T,) index of the document that each target's loss counts for; NOT_SCORED where there is no target of any document's text.
    """

    block: np.ndarray
    document_T: np.ndarray


class Windows(Protocol):
    """Blocks of one split that are scored, and what was left out."""

    context_tokens: int
    num_documents: int  # with at least one target
    num_documents_too_short: int
    long_enough: tuple[str, ...]  # ids of the documents with at least one target

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Window: ...


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
        self._first_token = split.first_token
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
        self.long_enough = tuple(split.documents[document] for document in long_enough[num_taken > 0])

    def __len__(self) -> int:
        return len(self.starts)

    def before(self, index: int) -> np.ndarray:
        """The document's tokens from its first one up to block ``index``."""
        return np.array(self._tokens[self._first_token[self.document_indices[index]] : self.starts[index]], dtype=np.int64)

    def __getitem__(self, index: int) -> Window:
        """Block ``index``; all its targets belong to one document."""
        return _window_in_document(self._tokens, self.starts[index], self.document_indices[index], context_tokens=self.context_tokens)


class StartWindows:
    """The first T+1 tokens of every document that has them: position t is the prediction after the document's first t tokens.

    A shorter document is left out, so that every position is measured on the same documents.
    """

    def __init__(self, split: TokenSplit, context_tokens: int) -> None:
        assert context_tokens > 0
        self.context_tokens = context_tokens
        self._tokens = split.tokens
        self._first_token = split.first_token
        self._long_enough = np.flatnonzero(split.num_tokens > context_tokens)
        self.long_enough = tuple(split.documents[document] for document in self._long_enough)
        self.num_documents = len(self._long_enough)
        self.num_documents_too_short = len(split.num_tokens) - self.num_documents
        if self.num_documents == 0:
            raise UserError(_too_long(split, context_tokens=context_tokens, needed=context_tokens + 1, formula="context_tokens + 1"))

    def __len__(self) -> int:
        return self.num_documents

    def __getitem__(self, index: int) -> Window:
        """The beginning of one document."""
        document = self._long_enough[index]
        return _window_in_document(self._tokens, self._first_token[document], document, context_tokens=self.context_tokens)


class PackedWindows:
    """The stream of documents, each followed by its end-of-text token, in blocks that start every T tokens, the tail included (the paper's way).

    Every loss counts for the document of its target; that of an end-of-text token, which is no document's text, for none.
    """

    def __init__(self, split: TokenSplit, context_tokens: int) -> None:
        assert context_tokens > 0
        self.context_tokens = context_tokens
        self._tokens = split.tokens
        self._first_token = split.first_token
        self._end = split.first_token + split.num_tokens
        # The stream's very first token is no target.
        with_target = split.num_tokens > (np.arange(len(split.num_tokens)) == 0)
        self.long_enough = tuple(split.documents[document] for document in np.flatnonzero(with_target))
        self.num_documents = int(with_target.sum())
        self.num_documents_too_short = len(split.num_tokens) - self.num_documents
        if self.num_documents == 0:
            raise UserError(_too_long(split, context_tokens=context_tokens))

    def __len__(self) -> int:
        return -(-(len(self._tokens) - 1) // self.context_tokens)

    def __getitem__(self, index: int) -> Window:
        """Block ``index``; the last one may be filled up behind the stream's end."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        start = index * self.context_tokens
        found = self._tokens[start : start + self.context_tokens + 1]
        block = np.zeros(self.context_tokens + 1, dtype=np.int64)
        block[: len(found)] = found
        target = np.arange(start + 1, start + self.context_tokens + 1)
        document = np.searchsorted(self._first_token, target, side="right") - 1
        return Window(block, np.where(target < self._end[document], document, NOT_SCORED))


def _window_in_document(tokens: np.ndarray, start: int, document: int, *, context_tokens: int) -> Window:
    block = np.array(tokens[start : start + context_tokens + 1], dtype=np.int64)
    return Window(block, np.full(context_tokens, document, dtype=np.int64))


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


def _too_long(split: TokenSplit, *, context_tokens: int, needed: int | None = None, formula: str = "2·(context_tokens + 1)") -> str:
    """A sentence on a context that no document is long enough for; ``needed`` tokens (None: those of `within` windows) by the formula."""
    if len(split.num_tokens) == 0:
        return f"the {split.name} split has no documents to take windows from; give more documents, or raise its fraction."
    longest = int(split.num_tokens.max())
    allowed = longest // 2 - 1 if needed is None else longest - 1
    needed = 2 * (context_tokens + 1) if needed is None else needed
    sentence = (
        f"context_tokens={context_tokens} is longer than any document of the {split.name} split allows: a document has to have {formula} = {needed} "
        f"tokens, and the longest has {longest}"
    )
    return f"{sentence}; give longer documents." if allowed < 1 else f"{sentence}; choose a context_tokens of at most {allowed}."
