"""The results of a study: build_results writes runs, curves and positions.parquet, analyse_study (fits.py) writes fits.json."""

from typing import Any

from hf_ctxscale.analysis.estimates import Estimate
from hf_ctxscale.analysis.fits import analyse_study
from hf_ctxscale.analysis.measured import finished_scores
from hf_ctxscale.analysis.positions import (
    PositionLosses,
    bits_per_byte,
    context_gain,
    in_context_score,
    load_losses,
    log_bins,
    loss_curve,
    mean_loss,
)
from hf_ctxscale.files import write_table
from hf_ctxscale.study import CURVES_SCHEMA, POSITIONS_SCHEMA, RUNS_SCHEMA, RunRecord, ScoreRecord, Study, UserError

__all__ = ["analyse_study", "build_results"]

Row = dict[str, Any]


def build_results(study: Study) -> None:
    """Writes the three result tables anew from what the study holds so far.

    Every run is a row, failed and waiting ones too, with their state and without numbers; a model that the study did not train is a row
    with empty training columns. effective_context stays empty: it comes from the ablation, which this stage does not read.

    Raises:
        UserError: the study has neither runs nor scores.
    """
    runs, scores = study.run_records(), finished_scores(study)
    if not runs and not scores:
        raise UserError(f"{study.folder} holds no runs and no scores; make some with `hf-ctxscale run CONFIG --out {study.folder}`.")
    scored = {run.run_id for run, _ in scores if run}
    run_rows = [_training_columns(study, run) for run in runs if run.run_id not in scored]
    curve_rows: list[Row] = []
    position_rows: list[Row] = []
    for run, score in scores:
        losses = load_losses(study.losses_file(score.score_id))
        training = _training_columns(study, run) if run else {}
        run_rows.append({**training, **_score_columns(score, losses)})
        ids = {"run_id": run.run_id if run else None, "score_id": score.score_id}
        curve_rows += [{**ids, **row} for row in _curve_rows(losses)]
        position_rows += [{**ids, **row} for row in _position_rows(losses)]
    run_rows.sort(key=lambda row: (row.get("run_id") is None, row.get("run_id") or "", row.get("score_id") or ""))
    write_table(study.results_file("runs"), run_rows, RUNS_SCHEMA)
    write_table(study.results_file("curves"), curve_rows, CURVES_SCHEMA)
    write_table(study.results_file("positions"), position_rows, POSITIONS_SCHEMA)


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


def _score_columns(score: ScoreRecord, losses: PositionLosses) -> Row:
    columns: Row = {"score_id": score.score_id, "model": score.model}
    for name, estimate in (
        ("loss_nats", mean_loss(losses)),
        ("bits_per_byte", bits_per_byte(losses)),
        ("context_gain_nats", context_gain(losses)),
        ("icl_score", in_context_score(losses)),
    ):
        columns |= _interval_columns(name, estimate, low=f"{name}_low", high=f"{name}_high")
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
