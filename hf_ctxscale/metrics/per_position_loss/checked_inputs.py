"""What the metric is given, as arrays: losses, bytes, document ids and a confidence, with a sentence for everything that is not such.

Letters: B blocks of a batch, T context positions (position t at index t - 1).
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from hf_ctxscale.study import UserError

# Rounding in half precision may leave the loss of a certain token a little under zero.
LOWEST_LOSS_NATS = -0.1
_LOSSES = "give per-token losses of shape (B, T), unreduced, as of cross_entropy(..., reduction='none')"
_BYTES = "give the bytes of each predicted token, one whole number for each loss"


def checked_losses(predictions: Any) -> np.ndarray:
    """Per-token losses as (B, T) float64.

    Raises:
        UserError: they are not such losses.
    """
    losses = _stacked("predictions", predictions, needed=_LOSSES)
    if losses.ndim != 2 or losses.shape[1] == 0:
        given = f"the single number {losses:g}" if losses.ndim == 0 else f"of shape {losses.shape}"
        raise UserError(f"predictions are {given}; {_LOSSES}.")
    too_low = "a negative log-likelihood is not negative: change the sign of log-probabilities"
    _refuse_where(
        "predictions", ~np.isfinite(losses), losses, "look for an overflow in the logits (compute them in float32), or leave that row out"
    )
    _refuse_where("predictions", losses < LOWEST_LOSS_NATS, losses, too_low)
    return losses


def checked_num_bytes(num_bytes: Any, *, shape: tuple[int, int]) -> np.ndarray:
    """Bytes of each predicted token as int64 of the losses' shape, (B, T).

    Raises:
        UserError: they are not whole numbers from 0 up, or of another shape.
    """
    values = _stacked("num_bytes", num_bytes, needed=_BYTES)
    if values.shape != shape:
        given = f"the single number {values:g}" if values.ndim == 0 else f"of shape {values.shape}"
        raise UserError(f"num_bytes are {given}, predictions of shape {shape}; {_BYTES}.")
    wrong = ~np.isfinite(values) | (values < 0) | (values != np.floor(values))
    _refuse_where("num_bytes", wrong, values, "a token has a whole number of bytes, 0 or more")
    return values.astype(np.int64)


def checked_documents(document_ids: Any, *, num_blocks: int) -> list[str]:
    """One id for each row.

    Raises:
        UserError: ids are not texts or whole numbers, or their number is another one.
    """
    ids = document_ids.tolist() if hasattr(document_ids, "tolist") else document_ids
    if isinstance(ids, str) or not isinstance(ids, Iterable):
        raise UserError(f"document_ids is the single value {ids!r}; give a list with one id for each of the {num_blocks} rows.")
    ids = list(ids)
    if len(ids) != num_blocks:
        raise UserError(f"there are {len(ids)} document_ids for {num_blocks} rows of predictions; give one for each row.")
    for row, document in enumerate(ids):
        # Missing ids and NaN would all become one document.
        if isinstance(document, bool) or not isinstance(document, (str, int, np.integer)):
            raise UserError(f"document_ids[{row}] is {document!r}; an id is a text or a whole number.")
    return [str(document) for document in ids]


def checked_confidence(confidence: Any) -> float:
    """A share between 0 and 1, both excluded.

    Raises:
        UserError: it is not.
    """
    is_number = isinstance(confidence, (int, float, np.integer, np.floating)) and not isinstance(confidence, bool)
    if not is_number or not 0 < confidence < 1:
        given = f"{confidence:g}" if is_number else repr(confidence)
        raise UserError(f"confidence is {given}; give a number between 0 and 1, such as 0.95 for 95 % intervals.")
    return float(confidence)


def _stacked(name: str, values: Any, *, needed: str) -> np.ndarray:
    """Rows of equal length as float64; whatever shape an array has."""
    # A list goes row by row (so does an array of lists), so that it may hold tensors and a row of another length can be named.
    is_array = hasattr(values, "ndim") and getattr(getattr(values, "dtype", None), "kind", None) != "O"
    if is_array or isinstance(values, str) or not isinstance(values, Iterable):
        return _as_float64(name, values, needed=needed)
    rows = [_as_float64(name, row, needed=needed) for row in values]
    for number, row in enumerate(rows):
        if row.shape != rows[0].shape:
            raise UserError(
                f"{name}[{number}] has length {row.size}, {name}[0] has length {rows[0].size}; every row needs the same. "
                "Leave partial blocks out."
            )
    return np.stack(rows) if rows else np.zeros(0)


def _as_float64(name: str, value: Any, *, needed: str) -> np.ndarray:
    if hasattr(value, "detach"):
        # Upcast before numpy sees it, which has no bfloat16; on the CPU, since not every device has float64.
        value = value.detach().cpu().double().numpy()
    try:
        array = np.asarray(value)
    except (TypeError, ValueError):
        array = np.asarray(None)
    if array.dtype.kind not in "fiu":
        raise UserError(f"{name} hold something other than numbers; {needed}.")
    return array.astype(np.float64)


def _refuse_where(name: str, bad_BT: np.ndarray, values_BT: np.ndarray, remedy: str) -> None:
    if bad_BT.any():
        row, index = np.argwhere(bad_BT)[0]
        raise UserError(f"{name}[{row}] at context position {index + 1} is {values_BT[row, index]:g}; {remedy}.")
