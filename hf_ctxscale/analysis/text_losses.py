"""TokenByToken: the loss of every token of one text at full and at short context, its sums, and what two models' may be compared by."""

import math
from dataclasses import dataclass

import numpy as np

from hf_ctxscale.study import UserError


@dataclass(frozen=True)
class TokenByToken:
    """One text of N tokens under one model. A token that nothing stands before is not predicted: its losses are NaN.

    Attributes:
        model: name of the model.
        tokenizer_fingerprint: the same where two tokenizers know the same tokens.
        pieces: the text behind each token; joined, they are the text. A character that is split over several tokens stands at the first of them.
        token_ids: (N,).
        num_bytes: (N,) UTF-8 bytes behind each token; their sum is that of the text.
        full_context_tokens: (N,) tokens of the text that the full context held; less than all that stand before where the model can read no more.
        loss_full_nats: (N,) float64.
        loss_short_nats: (N,) float64, from the last ``short_context_tokens`` tokens, or from all where fewer stand before.
        short_context_tokens: k.
        bos_ids: what stood before every context; never counted.
    """

    model: str
    tokenizer_fingerprint: str
    pieces: tuple[str, ...]
    token_ids: np.ndarray
    num_bytes: np.ndarray
    full_context_tokens: np.ndarray
    loss_full_nats: np.ndarray
    loss_short_nats: np.ndarray
    short_context_tokens: int
    bos_ids: tuple[int, ...]

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(self.pieces)

    @property
    def gain_nats(self) -> np.ndarray:
        """(N,) what the long context buys: loss at short context minus loss at full context."""
        return self.loss_short_nats - self.loss_full_nats


@dataclass(frozen=True)
class TextMeans:
    """Means over one text. Both losses and both bits per byte are of all predicted tokens, the gain only of those whose two contexts differ.

    Attributes:
        num_predicted: tokens that were predicted.
        num_longer: tokens with more than the short context before them; the others gain nothing by definition.
        gain_nats: NaN where there is no such token.
    """

    num_predicted: int
    loss_full_nats: float
    loss_short_nats: float
    bits_per_byte_full: float
    bits_per_byte_short: float
    num_longer: int
    gain_nats: float


def text_means(reading: TokenByToken) -> TextMeans:
    """The means of a text that has been read token by token."""
    predicted = np.isfinite(reading.loss_full_nats)
    longer = predicted & (reading.full_context_tokens > reading.short_context_tokens)
    num_bytes = int(reading.num_bytes[predicted].sum())

    def bits_per_byte(losses: np.ndarray) -> float:
        return float(losses[predicted].sum()) / math.log(2) / num_bytes if num_bytes else math.nan

    return TextMeans(
        num_predicted=int(predicted.sum()),
        loss_full_nats=float(reading.loss_full_nats[predicted].mean()),
        loss_short_nats=float(reading.loss_short_nats[predicted].mean()),
        bits_per_byte_full=bits_per_byte(reading.loss_full_nats),
        bits_per_byte_short=bits_per_byte(reading.loss_short_nats),
        num_longer=int(longer.sum()),
        gain_nats=float(reading.gain_nats[longer].mean()) if longer.any() else math.nan,
    )


def why_not_subtracted(first: TokenByToken, second: TokenByToken) -> str | None:
    """Why losses of one model's tokens cannot be subtracted from the other's, as a sentence; None: they can.

    Raises:
        UserError: the texts differ.
    """
    if first.text != second.text:
        raise UserError(f"{first.model!r} and {second.model!r} were given different texts; two models are compared on one text.")
    same_vocabulary = first.tokenizer_fingerprint == second.tokenizer_fingerprint
    if same_vocabulary and np.array_equal(first.token_ids, second.token_ids):
        return None
    counts = f"{len(first.pieces):,} and {len(second.pieces):,} tokens here"
    return (
        f"The two models have different tokenizers ({counts}): their tokens are different pieces of text, so no token's loss can be subtracted "
        "from the other model's. Bits per byte compare them, since the bytes are the same."
    )


def difference_nats(first: TokenByToken, second: TokenByToken) -> np.ndarray:
    """(N,) loss of each token at full context under the first model minus that under the second: positive where the second predicts it better.

    Raises:
        UserError: the texts or the tokenizers differ.
    """
    reason = why_not_subtracted(first, second)
    if reason is not None:
        raise UserError(reason)
    return first.loss_full_nats - second.loss_full_nats
