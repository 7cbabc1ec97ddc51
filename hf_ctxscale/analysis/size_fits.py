"""Loss against size, and against size and data, of every series of a study: both forms of each law, on every axis of size, and crossovers.

Letters: R replicates, P runs of the study, S runs of one series.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hf_ctxscale.analysis.estimates import jackknife
from hf_ctxscale.analysis.fit_entries import Entry, number
from hf_ctxscale.analysis.fit_series import FitSeries, best_lstm_series, fit_series
from hf_ctxscale.analysis.ladder import family_of
from hf_ctxscale.analysis.laws.size_and_data_laws import fit_joint_law, fit_sum_law
from hf_ctxscale.analysis.laws.size_laws import fit_offset_law, fit_paper_law
from hf_ctxscale.analysis.measured import Measured
from hf_ctxscale.analysis.positions import window_means
from hf_ctxscale.analysis.replicates import Replicates
from hf_ctxscale.analysis.size_lines import SizeLine, crossover_entry, size_and_data_entry
from hf_ctxscale.analysis.verdicts import MIN_DOCUMENTS
from hf_ctxscale.records import RunRecord

# What a model's size may be; None where it was not recorded.
SIZES: dict[str, Callable[[RunRecord], float | None]] = {
    "body_params": lambda run: run.params.body,
    "total_params": lambda run: run.params.total,
    "train_flops": lambda run: run.train_flops,
    "train_seconds": lambda run: run.train_seconds,
}


@dataclass(frozen=True)
class _Losses:
    """Losses over the whole context: as measured and in every replicate."""

    measured: Measured
    loss_RP: np.ndarray  # one row where no interval is possible
    variance_P: np.ndarray

    def points(self, series: FitSeries) -> list[Entry]:
        """Each run's loss with its interval over documents."""
        points = []
        for run in series.runs:
            loss = jackknife(window_means(run.losses, [(1, self.measured.context_tokens)])[:, 0], weights_D=self.measured.weights_D)
            ends = {"loss_low": number(loss.low), "loss_high": number(loss.high)}
            points.append({"run_id": run.record.run_id, "loss_nats": number(loss.value), **ends})
        return points


def size_entries(measured: Measured, replicates: Replicates) -> tuple[list[Entry], list[Entry], list[str]]:
    """Laws of size of every series, and where the families' lines cross.

    Args:
        measured: runs of one number of training tokens per size.
        replicates: of these runs, and of others perhaps.

    Returns:
        what fits.json holds of the laws; of the crossovers; and notes on what was left out.
    """
    losses = _losses(measured, replicates)
    entries, notes, lines = [], [], []
    series = fit_series(measured)
    for one in series:
        points = losses.points(one)
        for x in SIZES:
            line = _line(one, x, losses=losses)
            if line is None:
                notes.append(f"{one.label}: no law over {x}, which is not recorded of every run.")
                continue
            lines.append((one, line))
            entries += [{**_names(one), **entry} for entry in line.entries(points)]
    best = best_lstm_series(measured)
    if best is not None:
        found = [(x, _line(best, x, losses=losses)) for x in SIZES]
        lines += [(best, line) for _, line in found if line is not None]
    crossovers = _crossovers(lines, conditional=replicates.covers == "documents")
    num_documents = len(measured.documents)
    return entries, crossovers if num_documents >= MIN_DOCUMENTS else [_undecided(one, num_documents) for one in crossovers], notes


def size_and_data_entries(measured: Measured, replicates: Replicates, *, unique_tokens: int | None) -> tuple[list[Entry], list[str]]:
    """Laws of size and data of every series, from runs that read no token of the training text twice.

    Args:
        measured: runs of every number of training tokens.
        unique_tokens: of the training text; None where it is not known.

    Returns:
        what fits.json holds of them, and notes on what was left out.
    """
    notes = []
    kept = [run for run in measured.runs if unique_tokens is None or run.record.train_tokens <= unique_tokens]
    if unique_tokens is None and len({run.record.train_tokens for run in measured.runs}) > 1:
        notes.append(
            "Laws of size and data: the number of tokens of the training text is not known, so runs may have read it more than once."
        )
    if len(kept) < len(measured.runs):
        notes.append(
            f"Left out of laws of size and data: {len(measured.runs) - len(kept)} of {len(measured.runs)} runs, which were trained on more "
            f"than the {unique_tokens:,} tokens of the training text: a token read twice is not a new one."
            + ("" if kept else " None is left, so how loss falls with data is not identifiable.")
        )
    if not kept:
        return [], notes
    measured = replace(measured, runs=tuple(kept))
    losses = _losses(measured, replicates)
    entries = []
    for series in fit_series(measured):
        index_S, points = list(series.index_P), losses.points(series)
        n_S = np.array([run.record.params.body for run in series.runs], dtype=np.float64)
        d_S = np.array([run.record.train_tokens for run in series.runs], dtype=np.float64)
        for fit in (fit_sum_law, fit_joint_law):
            law = fit(n_S, d_S, losses.loss_RP[:, index_S], variance_P=losses.variance_P[index_S])
            bare = [{name: point[name] for name in ("run_id", "loss_nats")} for point in points]
            entries.append({**_names(series), **size_and_data_entry(law, bare, n_P=n_S, d_P=d_S)})
    return entries, notes


def _losses(measured: Measured, replicates: Replicates) -> _Losses:
    window, of_these = (1, measured.context_tokens), replicates.only(measured)
    loss_RP = of_these.losses([window])[:, :, 0]
    # Resamples of one document are all alike: they would look like a certainty.
    several = len(measured.documents) > 1
    return _Losses(measured, loss_RP if several else loss_RP[:1], of_these.run_variances(window))


def _line(series: FitSeries, x: str, *, losses: _Losses) -> SizeLine | None:
    """None where the size of a run was not recorded."""
    x_S, index_S = _sizes(series, x), list(series.index_P)
    if x_S is None:
        return None
    loss_RS, variance_S = losses.loss_RP[:, index_S], losses.variance_P[index_S]
    paper_law, offset_law = (fit(x_S, loss_RS, variance_P=variance_S) for fit in (fit_paper_law, fit_offset_law))
    return SizeLine(series.name, series.label, series.words, x, x_S, paper_law, offset_law)


def _sizes(series: FitSeries, x: str) -> np.ndarray | None:
    """Size of every run, (S,); None where one was not recorded.

    Seeds that took different times stand at their geometric mean: the difference is the machine's, and they are not models of other sizes.
    """
    sizes = [SIZES[x](run.record) for run in series.runs]
    if not all(sizes):
        return None
    x_S = np.array(sizes, dtype=np.float64)
    settings = [(run.record.num_layers, run.record.target_body_params, run.record.train_tokens) for run in series.runs]
    for setting in set(settings):
        same_S = np.array([of_run == setting for of_run in settings])
        if np.ptp(x_S[same_S]) > 0:
            x_S[same_S] = np.exp(np.log(x_S[same_S]).mean())
    return x_S


def _crossovers(lines: Sequence[tuple[FitSeries, SizeLine]], *, conditional: bool) -> list[Entry]:
    """Of every line of LSTMs with every line of Transformers; ``conditional``: no second seed says how far another one would lie."""
    entries = [
        crossover_entry(first, second)
        for x in SIZES
        for of_first, first in lines
        for of_second, second in lines
        if first.x == second.x == x and (family_of(of_first.architecture), family_of(of_second.architecture)) == ("LSTM", "Transformer")
    ]
    if conditional:
        entries = [entry | {"sentence": f"Of these trained models: {entry['sentence']}"} for entry in entries]
    return entries


def _undecided(crossover: Entry, num_documents: int) -> Entry:
    """Of so few documents no claim is decided (verdicts.Rule), and nothing of where lines cross either."""
    if crossover["verdict"] in ("undecided", "no overlap"):
        return crossover
    sentence = f"{num_documents} documents; an interval from fewer than {MIN_DOCUMENTS} is not to be relied on."
    nothing = dict.fromkeys(("x_cross", "low", "high", "direction"))
    return crossover | nothing | {"verdict": "undecided", "sentence": f"Which is better is undecided: {sentence}"}


def _names(series: FitSeries) -> Entry:
    return {"series": series.name, "architecture": series.architecture, "num_layers": series.num_layers, "label": series.label}
