"""Measured: the finished, scored runs of a study that fits and claims rest on, with their losses on the same documents."""

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from hf_ctxscale.analysis.condensed import open_losses
from hf_ctxscale.analysis.positions import PositionLosses
from hf_ctxscale.records import RunRecord, ScoreRecord
from hf_ctxscale.study import Study, UserError


@dataclass(frozen=True)
class MeasuredRun:
    """One trained model and its losses; rows in the order of Measured.documents."""

    record: RunRecord
    score: ScoreRecord
    losses: PositionLosses


@dataclass(frozen=True)
class Measured:
    """What a study has measured so far, on one set of documents."""

    runs: tuple[MeasuredRun, ...]  # one per series, target size, number of training tokens and seed; never empty
    planned: tuple[RunRecord, ...]  # every run that has a record, failed and waiting ones too
    documents: tuple[str, ...]
    notes: tuple[str, ...]  # what was left out, and why

    @property
    def context_tokens(self) -> int:
        """T, the same for all runs."""
        return self.runs[0].losses.context_tokens

    @property
    def weights_D(self) -> np.ndarray:
        """Tokens of each document, (D,): what it weighs in every mean."""
        return self.runs[0].losses.num_tokens.sum(axis=1)

    @property
    def series(self) -> dict[str, tuple[MeasuredRun, ...]]:
        """Family and depth -> its runs, small to large."""
        ordered = sorted(self.runs, key=lambda run: (run.record.series, run.record.params.body, run.record.seed, run.record.run_id))
        return {name: tuple(group) for name, group in groupby(ordered, key=lambda run: run.record.series)}

    def at(self, series: str, *, size: int) -> tuple[MeasuredRun, ...]:
        """The runs of a series at a target size: one per seed (of each number of training tokens), or none."""
        return tuple(run for run in self.series.get(series, ()) if run.record.target_body_params == size)

    def at_full_budget(self) -> "Measured":
        """One number of training tokens per target size: of those that the most series were trained with, the largest.

        What the claims and the laws of size rest on; the other runs say how loss falls with data.
        """
        tokens_of: dict[int, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
        for run in self.runs:
            tokens_of[run.record.target_body_params][run.record.train_tokens].add(run.record.series)
        full = {size: max(series_at, key=lambda tokens: (len(series_at[tokens]), tokens)) for size, series_at in tokens_of.items()}
        kept = tuple(run for run in self.runs if run.record.train_tokens == full[run.record.target_body_params])
        if len(kept) == len(self.runs):
            return self
        return replace(self, runs=kept, notes=(*self.notes, *_budget_notes(self.runs, full)))


def finished_scores(study: Study) -> list[tuple[RunRecord | None, ScoreRecord]]:
    """Every score of a finished run at its last step, and every score of a model that this study did not train (without a run)."""
    runs = {run.run_id: run for run in study.run_records()}
    pairs = []
    for score in study.score_records():
        run = runs.get(score.run_id) if score.run_id else None
        if score.run_id is None or (run and run.state == "finished" and score.training_step in (None, run.train_steps)):
            pairs.append((run, score))
    return pairs


def load_measured(study: Study) -> Measured:
    """Chooses the runs and opens their losses.

    Several learning rates tried for one series, size, number of training tokens and seed are trials: only the one with the lowest validation
    loss enters. Where runs were scored in several ways, one way enters (`main_scores`). A run with losses that are not finite, or
    not above zero, is left out.

    Raises:
        UserError: no run has finished, none is scored, none has finite losses, or the scores are of different documents.
    """
    planned = tuple(study.run_records())
    chosen, notes = _best_trials(planned)
    if not chosen:
        failed = "; ".join(f"{run.run_id} failed: {run.reason}" for run in planned if run.state == "failed")
        raise UserError(
            f"no run of {study.folder} has finished ({len(planned)} have a record{'; ' + failed if failed else ''}), so nothing can be "
            "analysed; train some with `hf-ctxscale run CONFIG --out STUDY`."
        )
    score_of = main_scores(study)
    scored = [run for run in chosen if run.run_id in score_of]
    notes += [f"Left out: {run.run_id} is not scored as the others are." for run in chosen if run.run_id not in score_of]
    if not scored:
        raise UserError(f"no finished run of {study.folder} is scored; score them with `hf-ctxscale run CONFIG --out STUDY`.")

    # One order of documents for all, and one that does not depend on which run comes first.
    documents: tuple[str, ...] = ()
    measured = []
    for run in scored:
        losses = open_losses(study, score_of[run.run_id].score_id)
        broken = int((~np.isfinite(losses.loss_sum_nats).all(axis=1)).sum())
        if broken:
            notes.append(f"Left out: {run.run_id}: its losses are not finite in {broken} of {len(losses.documents)} documents.")
            continue
        if losses.context_tokens != score_of[run.run_id].context_tokens:
            notes.append(
                f"Left out: {run.run_id}: its losses end at position {losses.context_tokens}, and its record says "
                f"{score_of[run.run_id].context_tokens}; score it again."
            )
            continue
        if not losses.loss_sum_nats.sum() > 0:
            notes.append(f"Left out: {run.run_id}: its losses are not above zero, and laws need their logarithm.")
            continue
        losses = losses.rows(np.flatnonzero(losses.num_tokens.any(axis=1)))
        documents = documents or tuple(sorted(losses.documents))
        try:
            measured.append(MeasuredRun(run, score_of[run.run_id], losses.aligned_to(documents)))
        except UserError as error:
            raise UserError(f"{scored[0].run_id} and {run.run_id}: {error}") from None
    if not measured:
        raise UserError(f"no scored run of {study.folder} has finite losses ({' '.join(notes)}); score them again, or train them again.")
    return Measured(tuple(measured), planned, documents, tuple(notes))


def _budget_notes(runs: Sequence[MeasuredRun], full: dict[int, int]) -> list[str]:
    notes = []
    for size, tokens in sorted(full.items()):
        others = sorted(
            run.record.train_tokens for run in runs if run.record.target_body_params == size and run.record.train_tokens != tokens
        )
        if others:
            amounts = ", ".join(f"{other / 1e6:.3g}" for other in sorted(set(others)))
            notes.append(
                f"At {size:,} body parameters, claims and laws of size rest on the runs of {tokens / 1e6:.3g} million training tokens; "
                f"{len(others)} of {amounts} million are left out of them."
            )
    return notes


def _best_trials(planned: Iterable[RunRecord]) -> tuple[list[RunRecord], list[str]]:
    """The finished run of lowest validation loss for each series, target size, budget and seed; and notes on what was left out."""
    cells = defaultdict(list)
    notes = []
    num_waiting = 0
    for run in planned:
        if run.state == "finished":
            cells[run.series, run.target_body_params, run.train_tokens, run.seed].append(run)
        elif run.state == "failed":
            notes.append(f"Left out: {run.run_id} failed: {run.reason or 'no reason is recorded'}")
        else:
            num_waiting += 1
    if num_waiting:
        notes.append(f"{num_waiting} {'run is' if num_waiting == 1 else 'runs are'} not finished; these results hold those that are.")
    chosen = []
    for (series, size, _, _), trials in sorted(cells.items()):
        best = min(trials, key=lambda run: (validation_loss([run]), run.run_id))
        if len(trials) > 1 and not math.isfinite(validation_loss([best])):
            notes.append(
                f"Left out: {len(trials)} runs of {series} at {size:,} body parameters; without a validation loss none can be chosen."
            )
            continue
        chosen.append(best)
        if len(trials) > 1:
            rates = ", ".join(f"{run.learning_rate:g}" for run in sorted(trials, key=lambda run: run.learning_rate))
            notes.append(f"{best.run_id}: learning rate {best.learning_rate:g} chosen by validation loss among {rates}.")
    return chosen, notes


def validation_loss(runs: Sequence[RunRecord]) -> float:
    """Mean over runs, every seed weighing the same; infinite where one is missing, so that it is never the best."""
    losses = [math.nan if run.validation_loss_nats is None else run.validation_loss_nats for run in runs]
    mean = float(np.mean(losses))
    return mean if math.isfinite(mean) else math.inf


def main_scores(study: Study) -> dict[str, ScoreRecord]:
    """Run id -> the one of its scores that claims rest on; all of them were measured in one way.

    A way with a fresh state for every window comes before one that carries it, then the study's own text before another corpus, the test
    split before others, the way of the most runs, and `within` before `start` and `packed`: a study whose scores are all of another policy
    is judged by that one, and a few runs scored in another way change nothing.
    """
    ways: dict[tuple[str, ...], dict[str, ScoreRecord]] = defaultdict(dict)
    for run, score in finished_scores(study):
        if run:
            ways[way_of(score)].setdefault(run.run_id, score)
    own_text = _tokens_fingerprint(study)

    def place(way: tuple[str, ...]) -> tuple[bool, bool, bool, int, bool, tuple[str, ...]]:
        score = next(iter(ways[way].values()))
        # Ties go to the first by name: never to the order of a folder.
        return (
            score.carry_state,
            score.tokens_fingerprint != own_text,
            score.split != "test",
            -len(ways[way]),
            score.windows != "within",
            way,
        )

    return ways[min(ways, key=place)] if ways else {}


def way_of(score: ScoreRecord) -> tuple[str, ...]:
    """How a score was measured, but for the model: losses by position of two scores of one way are of the same tokens."""
    numbers = (score.windows_seed, score.max_windows_per_document, score.context_tokens, score.carry_state, *score.bos_ids)
    return (score.corpus, score.split, score.windows, score.bos_policy, score.tokens_fingerprint, *(str(number) for number in numbers))


def _tokens_fingerprint(study: Study) -> str | None:
    """Of the text that the study trains on; None where it holds scores only."""
    path = study.tokens / "corpus.json"
    if not path.is_file():
        return None
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["fingerprint"])
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{path} is not valid JSON with a fingerprint; it is written by `hf-ctxscale run CONFIG --out STUDY`.") from None
