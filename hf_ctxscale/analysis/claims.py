"""The claims of the figure, each put to a study: a measured value, an interval, a rule and a verdict."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from hf_ctxscale.analysis.estimates import Estimate, jackknife, no_estimate
from hf_ctxscale.analysis.ladder import Cell, Ladder, UntestableError
from hf_ctxscale.analysis.measured import Measured, MeasuredRun, seed_means
from hf_ctxscale.analysis.positions import GAIN_WINDOW, Window, context_gain_obstacle, last_octave
from hf_ctxscale.analysis.verdicts import EPSILON_NATS, Rule, Verdict, above, flat

EARLY: Window = (17, 32)  # where both families have seen a little context


@dataclass(frozen=True)
class Claim:
    """A sentence about the figure and what a study says of it."""

    id: str
    claim: str
    measured: Estimate  # in nats per token; NaN where the claim could not be tested
    rule: Rule
    verdict: Verdict
    reason: str | None  # why it is undecided, where that is not for the interval alone
    runs: tuple[MeasuredRun, ...]  # what the value rests on
    unit: str = "nats"


def judge_claims(measured: Measured) -> tuple[Claim, ...]:
    """Puts every claim to the study: first loss against size, then loss against context, then depth.

    A claim that the study cannot test comes back undecided, with the reason. Seeds are averaged; differences are paired by document.
    """
    ladder = Ladder(measured)
    size = f"At {ladder.largest_words}"
    late = last_octave(measured.context_tokens)
    late_words, early_words, gain_words = (f"positions {first}-{last}" for first, last in (late, EARLY, GAIN_WINDOW))
    if context_gain_obstacle(measured.context_tokens):
        # The last octave then begins too early to be set against the others; its numbers would make no sense in the sentences.
        late_words = "the end of a longer context"
    best = ladder.best_words("LSTM", size=ladder.largest)
    claims = [
        _judge(
            "transformer_below_best_lstm",
            f"{size}, the Transformer's loss is below that of {best}.",
            rule=above(0.0),
            measure=partial(_gap, ladder),
            ladder=ladder,
        ),
        _judge(
            "transformer_gap_grows_with_size",
            f"The Transformer's advantage over the best LSTM grows {ladder.growth_words}.",
            rule=above(0.0),
            measure=partial(_growth_with_size, ladder),
            ladder=ladder,
        ),
    ]
    for depth in ladder.lstm_depths:
        claims.append(
            _judge(
                f"lstm_{depth}_flat_beyond_64",
                f"{size}, the {depth}-layer LSTM is flat beyond 64 tokens of context: it loses the same at {gain_words} and {late_words}.",
                rule=flat(),
                measure=partial(_lstm_gain, ladder, depth),
                ladder=ladder,
            )
        )
    claims += [
        _judge(
            "transformer_gains_beyond_64",
            f"{size}, the Transformer still gains beyond {gain_words}: it loses over {EPSILON_NATS:g} nats less at {late_words}.",
            rule=above(EPSILON_NATS),
            measure=partial(_transformer_gain, ladder),
            ladder=ladder,
        ),
        _judge(
            "transformer_advantage_grows_along_context",
            f"{size}, the Transformer's advantage over {best} is larger at {late_words} than at {early_words}.",
            rule=above(0.0),
            measure=partial(_growth_along_context, ladder),
            ladder=ladder,
        ),
        _judge(
            "lstm_depth_lowers_loss",
            f"{size}, more layers lower the LSTM's loss{_depths_words(ladder)}.",
            rule=above(0.0),
            measure=partial(_depth_effect, ladder),
            ladder=ladder,
        ),
    ]
    return tuple(claims)


def _judge(id: str, claim: str, *, rule: Rule, measure: Callable[[], tuple[np.ndarray, Cell]], ladder: Ladder) -> Claim:
    try:
        values_R, runs = measure()
    except UntestableError as error:
        why = str(error)
        nothing = no_estimate(why, confidence=rule.confidence, num_documents=len(ladder.measured.documents))
        return Claim(id, claim, nothing, rule, "undecided", why, ())
    estimate = jackknife(values_R, confidence=rule.confidence, weights_D=ladder.measured.weights_D)
    verdict, reason = rule.judge(estimate)
    return Claim(id, claim, estimate, rule, verdict, reason, runs)


def _gap(ladder: Ladder) -> tuple[np.ndarray, Cell]:
    return ladder.gap([_everywhere(ladder)], weights=[1.0], size=ladder.largest)


def _growth_with_size(ladder: Ladder) -> tuple[np.ndarray, Cell]:
    large_R, large_runs = _gap(ladder)
    if len(ladder.sizes) < 2:
        raise UntestableError("this needs two sizes at which both families are finished and scored; the study has one")
    small_R, small_runs = ladder.gap([_everywhere(ladder)], weights=[1.0], size=ladder.sizes[0])
    return large_R - small_R, large_runs + small_runs


def _growth_along_context(ladder: Ladder) -> tuple[np.ndarray, Cell]:
    late = last_octave(ladder.measured.context_tokens)
    if late[0] <= EARLY[1]:
        raise UntestableError(f"this needs a context of {2 * EARLY[1]} tokens or more; this one has {late[1]}")
    return ladder.gap([late, EARLY], weights=[1.0, -1.0], size=ladder.largest)


def _lstm_gain(ladder: Ladder, num_layers: int) -> tuple[np.ndarray, Cell]:
    return _gain(ladder.lstm(num_layers))


def _transformer_gain(ladder: Ladder) -> tuple[np.ndarray, Cell]:
    return _gain(ladder.best("Transformer", size=ladder.largest))


def _gain(cell: Cell) -> tuple[np.ndarray, Cell]:
    context_tokens = cell[0].losses.context_tokens
    obstacle = context_gain_obstacle(context_tokens)
    if obstacle:
        raise UntestableError(obstacle)
    return seed_means(cell, [GAIN_WINDOW, last_octave(context_tokens)]) @ np.array([1.0, -1.0]), cell


def _depth_effect(ladder: Ladder) -> tuple[np.ndarray, Cell]:
    if len(ladder.lstm_depths) < 2:
        raise UntestableError(f"this needs LSTMs of two depths; the study has {len(ladder.lstm_depths) or 'none'}")
    shallow, deep = ladder.lstm(ladder.lstm_depths[0]), ladder.lstm(ladder.lstm_depths[-1])
    window = _everywhere(ladder)
    return (seed_means(shallow, [window]) - seed_means(deep, [window]))[:, 0], shallow + deep


def _depths_words(ladder: Ladder) -> str:
    if len(ladder.lstm_depths) < 2:
        return ""
    return f": that of {ladder.lstm_depths[-1]} layers is below that of {ladder.lstm_depths[0]}"


def _everywhere(ladder: Ladder) -> Window:
    return (1, ladder.measured.context_tokens)
