"""Losses by context position: curves, bins, and means over positions with delete-one-document intervals.

Letters: D documents, T context positions (position t at index t - 1), W windows of positions, R = 1 + D replicates.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from hf_ctxscale.analysis.estimates import Estimate, jackknife, leave_one_out, no_estimate
from hf_ctxscale.analysis.sums import PositionLosses, PositionSums, load_losses, save_losses
from hf_ctxscale.study import UserError

__all__ = [
    "Estimate",
    "PositionLosses",
    "PositionSums",
    "Statistic",
    "Window",
    "bits_per_byte",
    "context_gain",
    "context_gain_obstacle",
    "context_gain_statistic",
    "estimate",
    "in_context_score",
    "last_octave",
    "load_losses",
    "log_bins",
    "loss_curve",
    "mean_loss",
    "mean_statistic",
    "paired_difference",
    "save_losses",
    "window_means",
    "window_sums",
]

Window = tuple[int, int]  # context positions, both ends included

GAIN_WINDOW: Window = (65, 128)  # context gain: from here to the last octave
MIN_GAIN_CONTEXT = 256  # below it, the last octave would overlap with positions 65-128
EARLY_WINDOW: Window = (45, 55)  # in-context learning score (after Olsson et al. 2022)
LATE_WINDOW: Window = (481, 512)


def log_bins(context_tokens: int, *, bins_per_octave: int = 3) -> tuple[Window, ...]:
    """Log-spaced bins that cover positions 1..T once, fixed before any loss is seen.

    Octaves end at powers of two, so that a bin edge lies at 64, 128 and so on; where a third of an octave is narrower than a
    position, positions stay single (1 to 6). A last bin of which T leaves less than half joins the one before it.
    """
    assert context_tokens >= 1
    assert bins_per_octave >= 1
    num_edges = bins_per_octave * math.ceil(math.log2(max(context_tokens, 2))) + 1
    edges = sorted({0, *(round(2 ** (k / bins_per_octave)) for k in range(num_edges))})
    bins = [(low + 1, high) for low, high in pairwise(edges) if low < context_tokens]
    first, last = bins[-1]
    if len(bins) > 1 and 2 * (context_tokens - first + 1) < last - first + 1:
        bins.pop()
        first = bins[-1][0]
    return (*bins[:-1], (first, context_tokens))


@dataclass(frozen=True)
class Statistic:
    """A weighted sum of mean losses over windows of positions, e.g. +1 over 65-128 and -1 over 129-256."""

    windows: tuple[Window, ...]
    weights: tuple[float, ...] = (1.0,)
    per: Literal["token", "byte"] = "token"  # nats per token, or bits per byte


def mean_statistic(first: int, last: int, *, per: Literal["token", "byte"] = "token") -> Statistic:
    """Mean over positions first..last, both included."""
    return Statistic(((first, last),), (1.0,), per)


def context_gain_statistic(context_tokens: int) -> Statistic:
    """Mean over positions 65-128 minus mean over the last octave, (T/2, T]."""
    return Statistic((GAIN_WINDOW, last_octave(context_tokens)), (1.0, -1.0))


def last_octave(context_tokens: int) -> Window:
    """Positions (T/2, T]."""
    return (context_tokens // 2 + 1, context_tokens)


def window_means(losses: PositionLosses, windows: Sequence[Window], *, per: Literal["token", "byte"] = "token") -> np.ndarray:
    """Mean loss over windows of positions, on all documents and without each one: a ratio of sums, so every token weighs the same.

    Returns:
        (1 + D, W) in nats per token or bits per byte; NaN where nothing was counted.
    """
    assert all(1 <= first <= last <= losses.context_tokens for first, last in windows), windows
    counts = losses.num_tokens if per == "token" else losses.num_bytes * math.log(2)
    sums_DW, counts_DW = (window_sums(array_DT, windows).astype(np.float64) for array_DT in (losses.loss_sum_nats, counts))
    with np.errstate(divide="ignore", invalid="ignore"):
        return leave_one_out(sums_DW) / leave_one_out(counts_DW)


def window_sums(array_DT: np.ndarray, windows: Sequence[Window]) -> np.ndarray:
    """Sums over windows of positions of a number per document and position, (D, W)."""
    return np.stack([array_DT[:, first - 1 : last].sum(axis=1) for first, last in windows], axis=1)


def loss_curve(losses: PositionLosses) -> np.ndarray:
    """Mean loss in nats at every context position, (T,) float64; NaN where no token was counted."""
    counts_T = losses.num_tokens.sum(axis=0)
    return np.where(counts_T > 0, losses.loss_sum_nats.sum(axis=0) / np.maximum(counts_T, 1), math.nan)


def estimate(losses: PositionLosses, *, statistic: Statistic, confidence: float = 0.95) -> Estimate:
    """A statistic of one model's losses with its delete-one-document interval."""
    return _estimate((losses,), signs=(1.0,), statistic=statistic, confidence=confidence)


def paired_difference(a: PositionLosses, b: PositionLosses, *, statistic: Statistic, confidence: float = 0.95) -> Estimate:
    """``statistic(a) - statistic(b)``: each replicate leaves the same document out of both.

    Raises:
        UserError: a and b are of different documents, or of different context lengths.
    """
    if a.context_tokens != b.context_tokens:
        raise UserError(
            f"one model was scored at {a.context_tokens} context tokens, the other at {b.context_tokens}; score both at the same."
        )
    return _estimate((a, b.aligned_to(a.documents)), signs=(1.0, -1.0), statistic=statistic, confidence=confidence)


def _estimate(models: tuple[PositionLosses, ...], *, signs: tuple[float, ...], statistic: Statistic, confidence: float) -> Estimate:
    """Sum over models of sign times statistic."""
    context_tokens, furthest = models[0].context_tokens, max(last for _, last in statistic.windows)
    # A document without a token in these windows is no cluster of this statistic.
    counted_D = np.any([window_sums(model.num_tokens, statistic.windows).any(axis=1) for model in models], axis=0)
    if not counted_D.all():
        models = tuple(model.rows(np.flatnonzero(counted_D)) for model in models)
    num_documents = int(counted_D.sum())
    if furthest > context_tokens:
        reason = f"needs a context of {furthest} tokens or more; this one has {context_tokens}"
        return no_estimate(reason, confidence=confidence, num_documents=num_documents)
    if statistic.per == "byte" and any(((m.num_bytes.sum(axis=1) == 0) & (m.num_tokens.sum(axis=1) > 0)).any() for m in models):
        return no_estimate("the number of bytes per token is not known", confidence=confidence, num_documents=num_documents)
    values_R, weights_D = np.zeros(1 + num_documents), np.zeros(num_documents)
    for sign, model in zip(signs, models, strict=True):
        weights_D += window_sums(model.num_tokens if statistic.per == "token" else model.num_bytes, statistic.windows).sum(axis=1)
        values_R += sign * (window_means(model, statistic.windows, per=statistic.per) @ np.asarray(statistic.weights))
    return jackknife(values_R, confidence=confidence, weights_D=weights_D)


def mean_loss(losses: PositionLosses, *, positions: Window | None = None, confidence: float = 0.95) -> Estimate:
    """Mean loss in nats per token over a window of positions (all of them where none is given)."""
    first, last = positions or (1, losses.context_tokens)
    return estimate(losses, statistic=mean_statistic(first, last), confidence=confidence)


def bits_per_byte(losses: PositionLosses, *, positions: Window | None = None, confidence: float = 0.95) -> Estimate:
    """Loss in bits per byte of text: what models with different tokenizers share."""
    first, last = positions or (1, losses.context_tokens)
    return estimate(losses, statistic=mean_statistic(first, last, per="byte"), confidence=confidence)


def context_gain(losses: PositionLosses, *, confidence: float = 0.95) -> Estimate:
    """Mean loss over positions 65-128 minus mean over (T/2, T], in nats; positive where the model gains from the longer context."""
    reason = context_gain_obstacle(losses.context_tokens)
    if reason:
        return no_estimate(reason, confidence=confidence, num_documents=len(losses.documents))
    return estimate(losses, statistic=context_gain_statistic(losses.context_tokens), confidence=confidence)


def context_gain_obstacle(context_tokens: int) -> str | None:
    """Why the context gain cannot be measured at this context length, or nothing."""
    if context_tokens >= MIN_GAIN_CONTEXT:
        return None
    return f"the context gain needs a context of {MIN_GAIN_CONTEXT} tokens or more; this one has {context_tokens}"


def in_context_score(losses: PositionLosses, *, confidence: float = 0.95) -> Estimate:
    """Mean loss over positions 481-512 minus 45-55, in nats; negative is better (after Olsson et al. 2022)."""
    return estimate(losses, statistic=Statistic((LATE_WINDOW, EARLY_WINDOW), (1.0, -1.0)), confidence=confidence)
