"""The results of a study: build_results writes the tables (runs, curves, positions, bytes, ablation), analyse_study (fits.py) fits.json."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hf_ctxscale.analysis.bands import simultaneous_band
from hf_ctxscale.analysis.byte_bins import BYTE_BINS
from hf_ctxscale.analysis.effective_context import effective_context
from hf_ctxscale.analysis.estimates import Estimate
from hf_ctxscale.analysis.fits import analyse_study
from hf_ctxscale.analysis.measured import finished_scores, main_scores
from hf_ctxscale.analysis.positions import (
    PositionLosses,
    bits_per_byte,
    context_gain,
    in_context_score,
    log_bins,
    loss_curve,
    mean_loss,
    window_means,
)
from hf_ctxscale.analysis.scored import Scored, load_scored
from hf_ctxscale.columns import ABLATION_SCHEMA, BYTES_SCHEMA, CURVES_SCHEMA, POSITIONS_SCHEMA, RUNS_SCHEMA
from hf_ctxscale.files import write_table
from hf_ctxscale.records import RunRecord, ScoreRecord
from hf_ctxscale.study import Study, UserError

__all__ = ["analyse_study", "build_results"]

Row = dict[str, Any]


@dataclass
class _Rows:
    """Rows of every table, score by score."""

    runs: list[Row] = field(default_factory=list)
    curves: list[Row] = field(default_factory=list)
    positions: list[Row] = field(default_factory=list)
    bytes: list[Row] = field(default_factory=list)
    ablation: list[Row] = field(default_factory=list)

    def add(self, scored: Scored, *, training: Row) -> None:
        ids = {"run_id": training.get("run_id"), "score_id": scored.record.score_id}
        self.runs.append({**training, **_score_columns(scored)})
        self.curves += [{**ids, **row} for row in _curve_rows(scored.losses)]
        self.positions += [{**ids, **row} for row in _position_rows(scored.losses)]
        self.bytes += [{**ids, **row} for row in _byte_rows(scored)]
        self.ablation += [{**ids, **row} for row in _ablation_rows(scored)]


def build_results(study: Study) -> None:
    """Writes the five result tables anew from what the study holds so far.

    Every run is a row, failed and waiting ones too, with their state and without numbers; a model that the study did not train is a row
    with empty training columns. A run that was scored in several ways has a row for each, first the one that claims rest on. Bytes and
    ablation have rows of the scores that measured them, and none otherwise.

    Raises:
        UserError: the study has neither runs nor scores.
    """
    runs, scores = study.run_records(), finished_scores(study)
    if not runs and not scores:
        raise UserError(f"{study.folder} holds no runs and no scores; make some with `hf-ctxscale run CONFIG --out {study.folder}`.")
    scored = {run.run_id for run, _ in scores if run}
    rows = _Rows(runs=[_training_columns(study, run) for run in runs if run.run_id not in scored])
    for run, score in scores:
        rows.add(load_scored(study, score.score_id), training=_training_columns(study, run) if run else _model_columns(score))
    main = {score.score_id for score in main_scores(study).values()}
    rows.runs.sort(
        key=lambda row: (row.get("run_id") is None, row.get("run_id") or "", row.get("score_id") not in main, row.get("score_id") or "")
    )
    write_table(study.results_file("runs"), rows.runs, RUNS_SCHEMA)
    write_table(study.results_file("curves"), rows.curves, CURVES_SCHEMA)
    write_table(study.results_file("positions"), rows.positions, POSITIONS_SCHEMA)
    write_table(study.results_file("bytes"), rows.bytes, BYTES_SCHEMA)
    write_table(study.results_file("ablation"), rows.ablation, ABLATION_SCHEMA)


def _training_columns(study: Study, run: RunRecord) -> Row:
    planned = {
        "run_id": run.run_id,
        "model": study.model_folder(run.run_id).relative_to(study.folder).as_posix(),
        "state": run.state,
        "reason": run.reason,
        "architecture": run.architecture,
        "num_layers": run.num_layers,
        "hidden_size": run.hidden_size,
        "seed": run.seed,
        "body_params": run.params.body,
        "total_params": run.params.total,
        "learning_rate": run.learning_rate,
    }
    if run.state != "finished":
        return planned
    # What training was to take and what came out of it stand only where it did.
    names = ("train_tokens", "train_flops", "train_seconds", "train_loss_nats", "validation_loss_nats")
    return planned | {name: getattr(run, name) for name in names}


def _model_columns(score: ScoreRecord) -> Row:
    """Of a model that this study did not train."""
    sizes = {"body_params": score.params.body, "total_params": score.params.total} if score.params else {}
    return {"num_layers": score.num_layers, "hidden_size": score.hidden_size, **sizes}


def _score_columns(scored: Scored) -> Row:
    losses = scored.losses
    columns: Row = {"score_id": scored.record.score_id, "model": scored.record.model}
    for name, estimate in (
        ("loss_nats", mean_loss(losses)),
        ("bits_per_byte", bits_per_byte(losses)),
        ("context_gain_nats", context_gain(losses)),
        ("icl_score", in_context_score(losses)),
    ):
        columns |= _interval_columns(name, estimate, low=f"{name}_low", high=f"{name}_high")
    if scored.ablation is not None:
        reach = effective_context(scored.ablation, cuts=scored.cuts)
        columns |= {"effective_context": reach.tokens, "effective_context_low": reach.low, "effective_context_high": reach.high}
        columns["effective_context_censored"] = reach.censored
    # Of what was counted, not of what the record says was to be.
    columns["num_documents"] = int(losses.num_tokens.any(axis=1).sum())
    columns["num_tokens"] = int(losses.num_tokens.sum())
    return columns


def _interval_columns(name: str, estimate: Estimate, *, low: str, high: str) -> Row:
    return {name: estimate.value, low: estimate.low, high: estimate.high}


def _curve_rows(losses: PositionLosses) -> list[Row]:
    num_tokens_T = losses.num_tokens.sum(axis=0)
    return [
        {"context_position": t, "loss_nats": float(loss), "num_tokens": int(num)}
        for t, (loss, num) in enumerate(zip(loss_curve(losses), num_tokens_T, strict=True), start=1)
    ]


def _position_rows(losses: PositionLosses) -> list[Row]:
    rows = []
    for first, last in log_bins(losses.context_tokens):
        num_tokens_D = losses.num_tokens[:, first - 1 : last].sum(axis=1)
        estimate = mean_loss(losses, positions=(first, last))
        counts = {"num_tokens": int(num_tokens_D.sum()), "num_documents": estimate.num_documents}
        interval = _interval_columns("loss_nats", estimate, low="loss_low", high="loss_high")
        rows.append({"position_from": first, "position_to": last, **interval, **counts})
    return rows


def _byte_rows(scored: Scored) -> list[Row]:
    if scored.by_bytes is None:
        return []
    rows = []
    num_bytes_W = scored.by_bytes.num_bytes.sum(axis=0)
    for column in np.flatnonzero(scored.by_bytes.num_tokens.any(axis=0)).tolist():
        first, last = BYTE_BINS[column]
        estimate = bits_per_byte(scored.by_bytes, positions=(column + 1, column + 1))
        interval = _interval_columns("bits_per_byte", estimate, low="bits_per_byte_low", high="bits_per_byte_high")
        counts = {"num_bytes": int(num_bytes_W[column]), "num_documents": estimate.num_documents}
        rows.append({"bytes_from": first, "bytes_to": last, **interval, **counts})
    return rows


def _ablation_rows(scored: Scored) -> list[Row]:
    if scored.ablation is None or scored.record.ablation is None:
        return []
    # A document without a target is no cluster.
    losses = scored.ablation.rows(np.flatnonzero(scored.ablation.num_tokens.any(axis=1)))
    mean_RW = window_means(losses, [(column, column) for column in range(1, losses.context_tokens + 1)])
    excess = simultaneous_band(mean_RW - mean_RW[:, -1:], weights_D=losses.num_tokens[:, -1])
    bytes_per_token = _bytes_per_token(scored.losses)
    rows = []
    for column, cut in enumerate(scored.record.ablation.cuts):
        estimate = mean_loss(losses, positions=(column + 1, column + 1))
        rows.append(
            {
                **cut.model_dump(),
                "context_bytes": None if bytes_per_token is None else cut.context_tokens * bytes_per_token,
                **_interval_columns("loss_nats", estimate, low="loss_low", high="loss_high"),
                "excess_nats": float(excess.value_W[column]),
                "excess_low": float(excess.low_W[column]),
                "excess_high": float(excess.high_W[column]),
                "num_tokens": int(losses.num_tokens[:, column].sum()),
                "num_documents": estimate.num_documents,
            }
        )
    return rows


def _bytes_per_token(losses: PositionLosses) -> float | None:
    """Of the scored text; None where some document's bytes are not known."""
    if ((losses.num_bytes.sum(axis=1) == 0) & (losses.num_tokens.sum(axis=1) > 0)).any():
        return None
    return float(losses.num_bytes.sum() / losses.num_tokens.sum())
