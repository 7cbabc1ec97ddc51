"""Comparisons of scores: differences of two models on the same documents, by position where they share a tokenizer, else by bytes."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

from hf_ctxscale.analysis.byte_bins import BYTE_BINS
from hf_ctxscale.analysis.comparison import Comparison, compared
from hf_ctxscale.analysis.effective_context import context_ratio
from hf_ctxscale.analysis.estimates import Estimate, no_estimate
from hf_ctxscale.analysis.paired_differences import DifferenceCurve, position_differences
from hf_ctxscale.analysis.positions import (
    EARLY_WINDOW,
    LATE_WINDOW,
    PositionLosses,
    Statistic,
    Window,
    context_gain_obstacle,
    context_gain_statistic,
    log_bins,
    mean_statistic,
    paired_difference,
)
from hf_ctxscale.analysis.scored import Scored, check_same_text, load_scored, name_beside, one_tokenizer
from hf_ctxscale.files import write_json
from hf_ctxscale.study import Study, UserError

COMPARISONS_FORMAT = 1  # of results/comparisons.json
CONFIDENCE = 0.95
ALIKE = 1.1  # bytes of a window in a bin of bytes of context, of one model against the other, at most
NOTE = (
    "Every difference is the first score minus the second, and the ratio the first by the second, on the same documents; "
    "each interval stands for itself, none is widened for their number."
)


def compare_scores(a: Scored, b: Scored) -> tuple[Comparison, ...]:
    """Compares two models by document.

    With one tokenizer: mean loss, bits per byte, context gain, in-context score, loss by log-spaced bins of position, and the ratio of
    effective contexts where both have an ablation. With two: bits per byte alone, overall and by bytes of context. Where a quantity cannot
    be measured, or there are fewer than 20 documents, the verdict is undecided with the reason.

    Raises:
        UserError: they were measured on other documents, text or windows.
    """
    check_same_text(a, b)
    overall = compared("bits_per_byte", _paired(_whole(a.losses), _whole(b.losses), mean_statistic(1, 1, per="byte")))
    if not one_tokenizer(a, b):
        return (overall, *_by_bytes(a, b))
    context_tokens = a.losses.context_tokens
    obstacle = context_gain_obstacle(context_tokens)
    if obstacle:
        gain = no_estimate(obstacle, confidence=CONFIDENCE, num_documents=len(a.losses.documents))
    else:
        gain = _paired(a.losses, b.losses, context_gain_statistic(context_tokens))
    learning = _paired(a.losses, b.losses, Statistic((LATE_WINDOW, EARLY_WINDOW), (1.0, -1.0)))
    bins = log_bins(context_tokens)
    return (
        compared("mean_loss", position_difference(a, b, positions=(1, context_tokens))),
        overall,
        compared("context_gain", gain),
        compared("in_context_score", learning),
        *_effective_context(a, b),
        *(compared("mean_loss", position_difference(a, b, positions=window), tokens=window) for window in bins),
        *_by_bytes(a, b),
    )


def position_difference(a: Scored, b: Scored, *, positions: Window, confidence: float = CONFIDENCE) -> Estimate:
    """Mean loss of ``a`` minus that of ``b`` over context positions, in nats per token, paired by document.

    Raises:
        UserError: they have different tokenizers, or were measured on other documents, text or windows.
    """
    _check_positions(a, b)
    return paired_difference(a.losses, b.losses, statistic=mean_statistic(*positions), confidence=confidence)


def difference_by_position(a: Scored, b: Scored) -> DifferenceCurve:
    """Mean loss of ``a`` minus that of ``b`` in log bins of positions, with limits that hold in all bins at once, paired by document.

    Raises:
        UserError: they have different tokenizers, or were measured on other documents, text or windows.
    """
    _check_positions(a, b)
    weights_D = a.losses.num_tokens.sum(axis=1)
    return position_differences([a.losses], [b.losses.aligned_to(a.losses.documents)], weights_D=weights_D, confidence=CONFIDENCE)


def _check_positions(a: Scored, b: Scored) -> None:
    """Checks that a position means the same to both.

    Raises:
        UserError: it does not.
    """
    if not one_tokenizer(a, b):
        raise UserError(
            f"{name_beside(a, b)} and {name_beside(b, a)} have different tokenizers: a token of one is another piece of text than a token of the other, "
            "so that losses per token and context positions cannot be subtracted. Compare bits per byte, overall or by bytes of context "
            "(`compare_scores`, results/bytes.parquet)."
        )
    check_same_text(a, b)


def write_comparisons(study: Study, score_ids: Sequence[str]) -> tuple[str, ...]:
    """Compares every two of some scores and writes results/comparisons.json.

    Two scores that cannot be compared are there too, with the sentence that says why.

    Returns:
        lines of text for the terminal: what holds for the whole context, without the bins. None for a single score.

    Raises:
        UserError: the study does not hold one of the scores.
    """
    scores = [load_scored(study, score_id) for score_id in dict.fromkeys(score_ids)]
    pairs: list[dict[str, Any]] = []
    lines: list[str] = []
    for a, b in combinations(scores, 2):
        try:
            comparisons, refused = compare_scores(a, b), None
        except UserError as error:
            comparisons, refused = (), str(error)
        pairs.append(
            {
                "a": a.record.score_id,
                "b": b.record.score_id,
                "one_tokenizer": one_tokenizer(a, b),
                "bytes_rule": "exact" if a.record.bytes_rule == b.record.bytes_rule == "exact" else "approximate",
                "refused": refused,
                "comparisons": [comparison.entry() for comparison in comparisons],
            }
        )
        lines += _lines(a, b, comparisons, refused=refused)
    if pairs:
        content = {"format": COMPARISONS_FORMAT, "confidence": CONFIDENCE, "note": NOTE, "pairs": pairs}
        write_json(study.comparisons_file, content)
    return tuple(lines)


def _paired(a: PositionLosses, b: PositionLosses, statistic: Statistic) -> Estimate:
    return paired_difference(a, b, statistic=statistic, confidence=CONFIDENCE)


def _whole(losses: PositionLosses) -> PositionLosses:
    """All positions as one column: contexts of different lengths have it in common."""
    sums = (array.sum(axis=1, keepdims=True) for array in (losses.num_tokens, losses.num_bytes, losses.loss_sum_nats))
    return PositionLosses(losses.documents, losses.num_blocks, *sums)


def _by_bytes(a: Scored, b: Scored) -> tuple[Comparison, ...]:
    """Bits per byte by bytes of context, in the bins that hold about as much text of a window for both models.

    Elsewhere they would be of different text: T tokens reach the furthest bytes only where tokens are long, that is where text is easy,
    and the nearest bytes hold no more than the few tokens that are so short.
    """
    if a.by_bytes is None or b.by_bytes is None:
        return ()
    of_a_W, of_b_W = (model.num_bytes.sum(axis=0) / max(model.num_blocks.sum(), 1) for model in (a.by_bytes, b.by_bytes))
    alike_W = (of_a_W > 0) & (of_b_W > 0) & (np.maximum(of_a_W, of_b_W) <= ALIKE * np.minimum(of_a_W, of_b_W))
    return tuple(
        compared(
            "bits_per_byte", _paired(a.by_bytes, b.by_bytes, mean_statistic(column + 1, column + 1, per="byte")), bytes=BYTE_BINS[column]
        )
        for column in np.flatnonzero(alike_W).tolist()
    )


def _effective_context(a: Scored, b: Scored) -> tuple[Comparison, ...]:
    if a.ablation is None or b.ablation is None:
        return ()
    try:
        if a.cuts != b.cuts:
            raise UserError("the ablations cut the context at other lengths; score both models in one call with --ablation.")
        ratio = context_ratio(a.ablation, b.ablation, cuts=a.cuts, confidence=CONFIDENCE)
    except UserError as error:
        # The ablations took other targets or cuts: the scores themselves can still be compared.
        ratio = no_estimate(str(error), confidence=CONFIDENCE, num_documents=0)
    return (compared("effective_context", ratio),)


def _lines(a: Scored, b: Scored, comparisons: Sequence[Comparison], *, refused: str | None) -> list[str]:
    if refused:
        return [f"{name_beside(a, b)} and {name_beside(b, a)} are not compared: {refused}"]
    whole = [comparison for comparison in comparisons if comparison.tokens is None and comparison.bytes is None]
    head = f"{name_beside(a, b)} against {name_beside(b, a)} (the first minus the second), {len(a.losses.documents)} documents"
    return [head, *(f"  {one.in_words()}" for one in whole)]
