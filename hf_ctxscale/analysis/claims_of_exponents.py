"""Questions about the exponents of loss against body parameters: the paper's, and the Transformer's against the LSTMs'."""

from collections.abc import Callable
from functools import cache, partial

import numpy as np

from hf_ctxscale.analysis.claim_questions import Losses, Question
from hf_ctxscale.analysis.fit_series import depth_follows_size
from hf_ctxscale.analysis.ladder import Cell, Ladder, UntestableError, family_of
from hf_ctxscale.analysis.laws.size_laws import fit_paper_law
from hf_ctxscale.analysis.verdicts import above, near
from hf_ctxscale.architectures import TABLE
from hf_ctxscale.paper import ALPHA_N
from hf_ctxscale.records import RunRecord

MIN_SIZES = 3  # two leave no residual that could say whether there is a power law at all
TOLERANCE = 0.1  # of the paper's exponent


def exponent_questions(losses: Losses) -> list[Question]:
    """A question for the exponent of each series, and one for each depth of LSTM against the Transformer."""
    ladder = losses.ladder
    planned = {_line(ladder, run): run for run in ladder.measured.planned if family_of(run.architecture)}
    # Each is fitted once, however many questions it is part of.
    exponent = cache(partial(_exponent, losses))
    questions = []
    for line, run in sorted(planned.items()):
        label = TABLE[run.architecture].label
        words = f"{run.num_layers}-layer {label}" if line == run.series else f"{label}, with a depth for each size,"
        questions.append(
            Question(
                f"exponent_{line}",
                f"The loss of the {words} falls with body parameters by the exponent that the paper gives for Transformers, {ALPHA_N:g}.",
                "exponent",
                near(ALPHA_N, tolerance=TOLERANCE),
                partial(exponent, line),
                unit="",
                paper=ALPHA_N,
            )
        )
    if "Transformer" not in {family_of(run.architecture) for run in planned.values()}:
        return questions
    for depth in ladder.lstm_depths:
        questions.append(
            Question(
                f"exponent_above_lstm_{depth}",
                f"The Transformer's loss falls faster with size than the {depth}-layer LSTM's: its exponent is larger.",
                "exponent",
                above(0.0),
                partial(_exponent_above, ladder, f"lstm-{depth}", exponent),
                unit="",
            )
        )
    return questions


def _line(ladder: Ladder, run: RunRecord) -> str:
    """The series of a run, or its architecture where every size has a depth of its own: the runs that one law is fitted to (fit_series)."""
    return run.architecture if depth_follows_size(ladder.measured.planned, run.architecture) else run.series


def _exponent(losses: Losses, line: str) -> tuple[np.ndarray, Cell]:
    ladder = losses.ladder
    runs = tuple(run for series in ladder.measured.series.values() for run in series if _line(ladder, run.record) == line)
    sizes_P = np.array([run.record.params.body for run in runs])
    num_sizes = len({run.record.target_body_params for run in runs})
    if num_sizes < MIN_SIZES:
        raise UntestableError(f"an exponent needs {MIN_SIZES} sizes that are finished and scored; {line} has {num_sizes or 'none'}")
    columns = losses.columns(runs)
    variance_P = losses.replicates.run_variances(losses.everywhere)[columns]
    fit = fit_paper_law(sizes_P, losses.of_runs(losses.everywhere)[:, columns], variance_P=variance_P)
    if not len(fit.values_RK):
        raise UntestableError(fit.reason or "no law could be fitted")
    return fit.values_RK[:, list(fit.params).index("alpha")], runs


def _exponent_above(ladder: Ladder, lstm: str, exponent: Callable[[str], tuple[np.ndarray, Cell]]) -> tuple[np.ndarray, Cell]:
    transformer = _line(ladder, ladder.best("Transformer", size=ladder.largest)[0].record)
    (transformer_R, transformer_runs), (lstm_R, lstm_runs) = (exponent(series) for series in (transformer, lstm))
    return transformer_R - lstm_R, lstm_runs + transformer_runs
