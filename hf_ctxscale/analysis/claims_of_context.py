"""Questions about loss against context: LSTMs are flat, the Transformer still gains, its advantage grows along the context."""

from collections.abc import Callable
from functools import partial

import numpy as np

from hf_ctxscale.analysis.claim_questions import Losses, Question
from hf_ctxscale.analysis.ladder import Cell, UntestableError
from hf_ctxscale.analysis.positions import GAIN_WINDOW, Window, context_gain_obstacle, last_octave
from hf_ctxscale.analysis.verdicts import EPSILON_NATS, above, flat

EARLY: Window = (17, 32)  # where both families have seen a little context
BEYOND_100: Window = (101, 200)  # the paper's other reading of where its LSTMs stop gaining
MIN_CONTEXT_BEYOND_100 = 400  # below it, the last octave would overlap with positions 101-200


def context_questions(losses: Losses) -> list[Question]:
    """Every question about losses at the largest size along the context."""
    ladder = losses.ladder
    context_tokens = ladder.measured.context_tokens
    size = f"At {ladder.size_words(ladder.largest)}"
    late = last_octave(context_tokens)
    late_words, early_words, gain_words = (_words(window) for window in (late, EARLY, GAIN_WINDOW))
    if context_gain_obstacle(context_tokens):
        # The last octave then begins too early to be set against the others; its numbers would make no sense in the sentences.
        late_words = "the end of a longer context"
    questions = []
    for depth in ladder.lstm_depths:
        starts = [(64, GAIN_WINDOW)] + ([(100, BEYOND_100)] if context_tokens >= MIN_CONTEXT_BEYOND_100 else [])
        for beyond, window in starts:
            questions.append(
                Question(
                    f"lstm_{depth}_flat_beyond_{beyond}",
                    f"{size}, the {depth}-layer LSTM is flat beyond {beyond} tokens of context: it loses the same at {_words(window)} "
                    f"and {late_words}.",
                    "gain",
                    flat(),
                    partial(_gain, losses, partial(ladder.lstm, depth), window, late),
                )
            )
    transformer = partial(ladder.best, "Transformer", size=ladder.largest)
    quarter = (context_tokens // 4 + 1, context_tokens // 2)
    questions += [
        Question(
            "transformer_gains_beyond_64",
            f"{size}, the Transformer still gains beyond {gain_words}: it loses over {EPSILON_NATS:g} nats less at {late_words}.",
            "gain",
            above(EPSILON_NATS),
            partial(_gain, losses, transformer, GAIN_WINDOW, late),
        ),
        Question(
            "transformer_gains_in_last_octave",
            f"{size}, the Transformer still gains in the last octave: it loses less at {_words(late)} than at {_words(quarter)}.",
            "gain",
            above(0.0),
            partial(_gain_in_last_octave, losses, transformer, quarter, late),
        ),
        Question(
            "transformer_advantage_grows_along_context",
            f"{size}, the Transformer's advantage over {ladder.best_words('LSTM', size=ladder.largest)} is larger at "
            f"{_words(late) if late[0] > EARLY[1] else late_words} than at {early_words}.",
            "gap",
            above(0.0),
            partial(_growth_along_context, losses, late),
        ),
    ]
    return questions


def _gain(losses: Losses, choose: Callable[[], Cell], early: Window, late: Window) -> tuple[np.ndarray, Cell]:
    cell = choose()
    obstacle = context_gain_obstacle(losses.ladder.measured.context_tokens)
    if obstacle:
        raise UntestableError(obstacle)
    return losses.of(cell, early) - losses.of(cell, late), cell


def _gain_in_last_octave(losses: Losses, choose: Callable[[], Cell], quarter: Window, late: Window) -> tuple[np.ndarray, Cell]:
    cell = choose()
    if quarter[1] < quarter[0]:
        raise UntestableError(f"this needs a context of 2 tokens or more; this one has {late[1]}")
    return losses.of(cell, quarter) - losses.of(cell, late), cell


def _growth_along_context(losses: Losses, late: Window) -> tuple[np.ndarray, Cell]:
    if late[0] <= EARLY[1]:
        raise UntestableError(f"this needs a context of {2 * EARLY[1]} tokens or more; this one has {late[1]}")
    size = losses.ladder.largest
    (late_R, runs), (early_R, _) = (losses.gap(window, size=size) for window in (late, EARLY))
    return late_R - early_R, runs


def _words(window: Window) -> str:
    first, last = window
    return f"positions {first}-{last}"
