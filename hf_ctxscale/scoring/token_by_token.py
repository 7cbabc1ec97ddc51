"""score_text: the loss of every token of a text, from all that stands before it and from its last k tokens alone.

Shapes: N tokens of the text, B rows of a batch, S input tokens of a row (BOS tokens included), T targets at the last T of them, W windows of C tokens.
"""

from collections.abc import Callable

import numpy as np
import torch

from hf_ctxscale.analysis.text_losses import TokenByToken
from hf_ctxscale.records import BosPolicy
from hf_ctxscale.scoring.open_model import OpenedModel, bos_ids_of
from hf_ctxscale.scoring.scored_corpus import tokenizer_fingerprint
from hf_ctxscale.scoring.text_pieces import cut_text
from hf_ctxscale.scoring.token_losses import TokenLosses
from hf_ctxscale.study import UserError

MAX_TEXT_TOKENS = 20_000  # a page of more is tens of megabytes, and nobody reads it to its end

Show = Callable[[int, int], None]


def score_text(
    opened: OpenedModel,
    text: str,
    *,
    short_context_tokens: int = 16,
    context_tokens: int | None = None,
    bos: BosPolicy = "auto",
    batch_tokens: int = 8192,
    show: Show = lambda done, total: None,
) -> TokenByToken:
    """Reads one text with one model.

    Where the text is longer than the full context may be, that slides in steps of half its length: every token then sees at least half of it.

    Args:
        opened: the model and its tokenizer.
        text: of at least two tokens.
        short_context_tokens: k; the short loss of a token is predicted from exactly its last k tokens (from all where fewer stand before).
        context_tokens: the full context's length at most; None: all that the model can read at once.
        bos: what stands before every context, full or short; never counted.
        batch_tokens: tokens per forward pass; changes nothing but speed and memory.
        show: called with the tokens fed to the model and their total.

    Raises:
        UserError: the text is too short or too long, a context does not fit the model, or a loss is not finite.
    """
    bos_ids = bos_ids_of(opened.tokenizer, bos)
    limit = _longest_context(opened, num_bos=len(bos_ids), context_tokens=context_tokens, short_context_tokens=short_context_tokens)
    tokens = cut_text(opened.tokenizer, text)
    num_tokens = len(tokens.token_ids)
    if not 2 <= num_tokens <= MAX_TEXT_TOKENS:
        raise UserError(
            f"the text is {num_tokens:,} token{'s' * (num_tokens != 1)} long for {opened.name!r}; reading along takes 2 to {MAX_TEXT_TOKENS:,}: "
            f"give a {'longer' if num_tokens < 2 else 'shorter'} text."
        )
    full_context_tokens = min(limit, num_tokens - 1) if limit else num_tokens - 1
    starts_W = _window_starts(num_tokens, full_context_tokens)
    num_short = max(0, num_tokens - 1 - short_context_tokens)
    reader = _Reader(
        opened,
        tokens.token_ids,
        bos_ids=bos_ids,
        batch_tokens=batch_tokens,
        total_tokens=len(starts_W) * full_context_tokens + num_short * short_context_tokens,
        show=show,
    )
    losses_full, contexts = reader.full_losses(starts_W, full_context_tokens)
    return TokenByToken(
        model=opened.name,
        tokenizer_fingerprint=tokenizer_fingerprint(opened.tokenizer),
        pieces=tokens.pieces,
        token_ids=tokens.token_ids,
        num_bytes=tokens.num_bytes,
        full_context_tokens=contexts,
        loss_full_nats=losses_full,
        # Where no more than k tokens stand before, the full context is the short one.
        loss_short_nats=np.concatenate([losses_full[: num_tokens - num_short], reader.short_losses(short_context_tokens)]),
        short_context_tokens=short_context_tokens,
        bos_ids=bos_ids,
    )


def _longest_context(opened: OpenedModel, *, num_bos: int, context_tokens: int | None, short_context_tokens: int) -> int | None:
    """The most tokens of text that a context may hold; None: no limit. Checks both contexts against it."""
    limit = None if opened.max_positions is None else opened.max_positions - num_bos
    if context_tokens is not None and (context_tokens < 2 or (limit is not None and context_tokens > limit)):
        raise UserError(
            f"a full context of {context_tokens:,} tokens does not suit {opened.name!r}; allowed: 2 {'or more' if limit is None else f'to {limit:,}'}."
        )
    limit = limit if context_tokens is None else context_tokens
    # A full context slides in steps of half its length: no more than half of it is sure to be there.
    longest_short = None if limit is None else limit // 2
    if short_context_tokens < 1 or (longest_short is not None and short_context_tokens > longest_short):
        allowed = "1 or more" if longest_short is None else f"1 to {longest_short:,}, half of the full context"
        raise UserError(f"a short context of {short_context_tokens:,} tokens does not suit {opened.name!r}; allowed: {allowed}.")
    return limit


def _window_starts(num_tokens: int, context_tokens: int) -> np.ndarray:
    """(W,) where the windows of the full context begin, in steps of half of it; the last one ends with the text."""
    last = num_tokens - 1 - context_tokens
    steps = np.arange(0, last, max(1, context_tokens // 2), dtype=np.int64)
    return np.append(steps, last)


class _Reader:
    """One model over the tokens of one text."""

    def __init__(
        self, opened: OpenedModel, ids_N: np.ndarray, *, bos_ids: tuple[int, ...], batch_tokens: int, total_tokens: int, show: Show
    ) -> None:
        opened.model.eval()
        self._opened = opened
        self._losses = TokenLosses(opened.model)
        self._ids_N = ids_N
        self._bos_ids = bos_ids
        self._batch_tokens = batch_tokens
        self._done_tokens = 0
        self._total_tokens = total_tokens
        self._show = show

    def full_losses(self, starts_W: np.ndarray, context_tokens: int) -> tuple[np.ndarray, np.ndarray]:
        """Every token's loss (NaN for one that nothing stands before), and how many tokens its context held: each (N,).

        Args:
            starts_W: first tokens of the windows; a token belongs to the first window that reaches it.
            context_tokens: of every window.
        """
        losses_N = np.full(len(self._ids_N), np.nan)
        contexts_N = np.zeros(len(self._ids_N), dtype=np.int64)
        num_targets = context_tokens + (1 if self._bos_ids else 0)
        losses_WT = self._row_losses(starts_W, context_tokens=context_tokens, num_targets=num_targets)
        reached = -1 if self._bos_ids else 0
        for start, losses_T in zip(starts_W, losses_WT, strict=True):
            end = start + context_tokens
            losses_N[reached + 1 : end + 1] = losses_T[num_targets - (end - reached) :]
            contexts_N[reached + 1 : end + 1] = np.arange(reached + 1, end + 1) - start
            reached = end
        return losses_N, contexts_N

    def short_losses(self, context_tokens: int) -> np.ndarray:
        """Losses of the tokens that more than so many stand before, in their order, each from exactly its last ones."""
        starts = np.arange(1, len(self._ids_N) - context_tokens, dtype=np.int64)
        return self._row_losses(starts, context_tokens=context_tokens, num_targets=1)[:, 0]

    def _row_losses(self, starts: np.ndarray, *, context_tokens: int, num_targets: int) -> np.ndarray:
        """(rows, T) losses of the tokens up to the one that follows each context, from a fresh state for each row."""
        losses = np.empty((len(starts), num_targets))
        rows_at_once = max(1, self._batch_tokens // (context_tokens + len(self._bos_ids)))
        for first in range(0, len(starts), rows_at_once):
            starts_B = starts[first : first + rows_at_once]
            inputs_BC = self._ids_N[starts_B[:, None] + np.arange(context_tokens)]
            bos_B = np.tile(np.array(self._bos_ids, dtype=np.int64), (len(starts_B), 1))
            targets_BT = self._ids_N[starts_B[:, None] + np.arange(context_tokens + 1 - num_targets, context_tokens + 1)]
            device = self._opened.model.device
            inputs_BS = torch.from_numpy(np.concatenate([bos_B, inputs_BC], axis=1)).to(device)
            losses_BT = self._losses(inputs_BS, torch.from_numpy(targets_BT).to(device)).double().cpu().numpy()
            self._check_finite(losses_BT, starts_B + context_tokens + 1 - num_targets)
            losses[first : first + len(starts_B)] = losses_BT
            self._done_tokens += len(starts_B) * context_tokens
            self._show(self._done_tokens, self._total_tokens)
        return losses

    def _check_finite(self, losses_BT: np.ndarray, first_target_B: np.ndarray) -> None:
        bad = np.argwhere(~np.isfinite(losses_BT))
        if len(bad):
            row, column = bad[0]
            raise UserError(
                f"the loss of token {first_target_B[row] + column + 1:,} of the text is not finite under {self._opened.name!r}; "
                "if it was opened in 16 bits, try --dtype float32; otherwise its weights are broken."
            )
