"""EffectiveContext: how many tokens of context a model puts to use, from the ablation, with limits; and the ratio of two models' values.

Letters: D documents, R = 1 + D replicates, K cuts of the context (ascending, the last one the whole context T), N ways to weight documents.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from hf_ctxscale.analysis.bands import simultaneous_band
from hf_ctxscale.analysis.bootstrap import NUM_RESAMPLES, percentile_interval, shared_resamples
from hf_ctxscale.analysis.estimates import Estimate, degrees_of_freedom, leave_one_out, no_estimate
from hf_ctxscale.analysis.sums import PositionLosses
from hf_ctxscale.analysis.verdicts import EPSILON_NATS, MIN_DOCUMENTS
from hf_ctxscale.study import UserError


@dataclass(frozen=True)
class EffectiveContext:
    """The smallest context from which on the loss stays at most epsilon above the loss at the whole context.

    Attributes:
        tokens: k, interpolated on the log scale; T where censored; NaN where nothing could be measured.
        low: the largest cut whose excess is surely above epsilon, 1 where none is; NaN where no interval is possible.
        high: as ``tokens``, but of the upper limits of the excess.
        censored: the excess at the largest cut below T is above epsilon: T tokens do not show where the gain ends, the value is T or more.
        high_censored: the same of the upper limits: there is no upper limit below T.
        epsilon_nats: excess that does not count.
        confidence: of the interval from low to high.
        num_documents: with at least one target.
        context_tokens: T. Values of different T are not to be compared.
        verdict: ``undecided`` where there are fewer than MIN_DOCUMENTS documents, or no interval.
        reason: why it is undecided.
    """

    tokens: float
    low: float
    high: float
    censored: bool
    high_censored: bool
    epsilon_nats: float
    confidence: float
    num_documents: int
    context_tokens: int
    verdict: Literal["measured", "undecided"]
    reason: str | None = None


def effective_context(
    ablation: PositionLosses, *, cuts: Sequence[int], epsilon_nats: float = EPSILON_NATS, confidence: float = 0.95
) -> EffectiveContext:
    """Measures the effective context of one model.

    The excess over the whole context is paired: same targets, same documents. It is one-sided: a shorter context that does better than the
    whole one is within epsilon. Both limits come from simultaneous one-sided limits of the excess, each at 1 - (1 - confidence)/2.

    Args:
        ablation: sums by document and cut, a column per cut.
        cuts: tokens of context of each column, ascending; the last one is T.
        epsilon_nats: excess in nats per token that does not count.
        confidence: of the interval.

    Raises:
        UserError: the columns are not of the same targets.
    """
    losses = _of_shared_targets(ablation, cuts=cuts)
    num_documents = len(losses.documents)
    settings = (epsilon_nats, confidence, num_documents, cuts[-1])
    obstacle = _obstacle(losses)
    if num_documents == 0 or len(cuts) == 1:
        return EffectiveContext(math.nan, math.nan, math.nan, False, False, *settings, "undecided", obstacle)
    weights_D = losses.num_tokens[:, -1].astype(np.float64)
    with np.errstate(invalid="ignore"):  # of one document, without it
        mean_RK = leave_one_out(losses.loss_sum_nats) / leave_one_out(weights_D[:, None])
    excess_RK = mean_RK - mean_RK[:, -1:]
    tokens, censored = _reach(excess_RK[0], cuts=cuts, epsilon_nats=epsilon_nats)
    if obstacle:
        return EffectiveContext(float(tokens), math.nan, math.nan, bool(censored), False, *settings, "undecided", obstacle)

    upper = simultaneous_band(excess_RK, confidence=1 - (1 - confidence) / 2, sides="upper", weights_D=weights_D)
    # Lower limits lie as far below the excess as upper ones above it.
    lower_K = 2 * excess_RK[0] - upper.high_W
    low = max((k for k, excess in zip(cuts, lower_K, strict=True) if excess > epsilon_nats), default=1)
    high, high_censored = _reach(upper.high_W, cuts=cuts, epsilon_nats=epsilon_nats)
    few = num_documents < MIN_DOCUMENTS
    reason = f"{num_documents} documents; an interval from fewer than {MIN_DOCUMENTS} is not to be relied on" if few else None
    limits = (float(low), float(high), bool(censored), bool(high_censored))
    return EffectiveContext(float(tokens), *limits, *settings, "undecided" if few else "measured", reason)


def context_ratio(
    a: PositionLosses,
    b: PositionLosses,
    *,
    cuts: Sequence[int],
    seed: int = 0,
    num_resamples: int = NUM_RESAMPLES,
    epsilon_nats: float = EPSILON_NATS,
    confidence: float = 0.95,
) -> Estimate:
    """Effective context of ``a`` divided by that of ``b``, with a bootstrap interval over documents, the same resamples for both.

    Resampled, not jackknifed: a crossing jumps from one cut to another when a document leaves. Of a model that still gains at T it is only
    known that its value is T or more. Where that leaves an end of the interval open, that end is NaN and ``reason`` says so; where it
    leaves the ratio itself open, ``value`` is NaN too.

    Args:
        a: sums by document and cut of one model.
        b: the same of another one.
        cuts: tokens of context of each column of both, ascending; the last one is T.
        seed: of the resamples.
        num_resamples: how many there are.
        epsilon_nats: excess in nats per token that does not count.
        confidence: of the interval.

    Raises:
        UserError: other documents, other targets or other cuts.
    """
    if a.context_tokens != b.context_tokens:
        raise UserError(
            f"one ablation has {a.context_tokens} cuts of the context, the other {b.context_tokens}; effective contexts are compared at one "
            "context length and its cuts only: score both models with the same --context."
        )
    a, b = _of_shared_targets(a, cuts=cuts), _of_shared_targets(b, cuts=cuts)
    b = b.aligned_to(a.documents)
    if (a.num_tokens != b.num_tokens).any():
        raise UserError("the ablations are of different targets in the same documents; score both models in one call with --ablation.")
    num_documents = len(a.documents)
    obstacle = _obstacle(a)
    if obstacle:
        return no_estimate(obstacle, confidence=confidence, num_documents=num_documents)
    resamples_ND = shared_resamples(num_documents, num_resamples=num_resamples, seed=seed)
    # Row 0: every document once.
    weights_ND = np.concatenate([np.ones((1, num_documents)), resamples_ND])
    (tokens_a_N, open_a_N), (tokens_b_N, open_b_N) = (
        _reach(_excess(model, weights_ND), cuts=cuts, epsilon_nats=epsilon_nats) for model in (a, b)
    )
    ratio_N = tokens_a_N / tokens_b_N
    freedom = degrees_of_freedom(num_documents, weights_D=a.num_tokens[:, -1])
    # a at T or more: the ratio is that or more; b at T or more: that or less.
    low = percentile_interval(np.where(open_b_N, 0.0, ratio_N)[1:], confidence=confidence, degrees_of_freedom=freedom)[0]
    high = percentile_interval(np.where(open_a_N, np.inf, ratio_N)[1:], confidence=confidence, degrees_of_freedom=freedom)[1]
    is_low, is_high = low > 0 and not open_b_N[0], math.isfinite(high) and not open_a_N[0]
    std_error = float(ratio_N[1:].std(ddof=1)) if is_low and is_high else math.nan
    which = [name for name, is_open in (("first", not is_high), ("second", not is_low)) if is_open]
    reason = f"the {' and the '.join(which)} model may still gain at {cuts[-1]} tokens of context, so the ratio is open" if which else None
    value = math.nan if open_a_N[0] or open_b_N[0] else float(ratio_N[0])
    ends = (low if is_low else math.nan, high if is_high else math.nan)
    return Estimate(value, *ends, std_error, confidence, num_documents, reason)


def _of_shared_targets(ablation: PositionLosses, *, cuts: Sequence[int]) -> PositionLosses:
    """The documents that have targets."""
    assert len(cuts) == ablation.context_tokens, (len(cuts), ablation.context_tokens)
    assert all(0 < k < after for k, after in pairwise(cuts)), cuts
    if (ablation.num_tokens != ablation.num_tokens[:, -1:]).any():
        raise UserError(
            "the cuts of the ablation are not all of the same targets, so they cannot be set against each other; score it again."
        )
    return ablation.rows(np.flatnonzero(ablation.num_tokens[:, -1]))


def _obstacle(losses: PositionLosses) -> str | None:
    """Why there can be no interval, if so."""
    if losses.context_tokens == 1:
        return "the whole context is one token: there is nothing to cut"
    if len(losses.documents) < 2:
        return "one document: no interval is possible" if losses.documents else "no document has a target"
    return None


def _excess(losses: PositionLosses, weights_ND: np.ndarray) -> np.ndarray:
    """Mean loss over that at the whole context with documents weighted in N ways, (N, K)."""
    mean_NK = (weights_ND @ losses.loss_sum_nats) / (weights_ND @ losses.num_tokens[:, -1:])
    return mean_NK - mean_NK[:, -1:]


def _reach(excess_NK: np.ndarray, *, cuts: Sequence[int], epsilon_nats: float) -> tuple[np.ndarray, np.ndarray]:
    """Where each curve comes within epsilon for good, linear in log k between two cuts: tokens (N,), and whether that is censored, (N,)."""
    last_cut = len(cuts) - 2  # the largest below T
    above_NK = excess_NK[..., :-1] > epsilon_nats
    ever_N = above_NK.any(axis=-1)
    # The last cut that is above; its own curve has come down at the next one.
    left_N = last_cut - above_NK[..., ::-1].argmax(axis=-1)
    before_N, after_N = (np.take_along_axis(excess_NK, (left_N + step)[..., None], axis=-1)[..., 0] for step in (0, 1))
    logs = np.log(cuts)
    fall_N = np.where(ever_N, before_N - after_N, 1.0)
    crossing_N = np.exp(logs[left_N] + (before_N - epsilon_nats) / fall_N * (logs[left_N + 1] - logs[left_N]))
    censored_N = ever_N & (left_N == last_cut)
    return np.where(censored_N, cuts[-1], np.where(ever_N, crossing_N, cuts[0])), censored_N
