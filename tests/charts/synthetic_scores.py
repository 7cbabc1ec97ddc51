"""Scored models and ablations for a synthetic study: rows of the result tables and score records, as scoring would have written them."""

import math
from pathlib import Path
from typing import Any

from synthetic_study import BINS, CONTEXT_TOKENS, write_synthetic_study

from hf_ctxscale.columns import ABLATION_SCHEMA, POSITIONS_SCHEMA, RUNS_SCHEMA
from hf_ctxscale.files import read_table, write_record, write_table
from hf_ctxscale.records import AblationRecord, Cut, ParameterGroups, ScoreRecord
from hf_ctxscale.study import Study

Row = dict[str, Any]

CUTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


def write_scored_study(
    folder: Path, *, models: tuple[str, ...] = ("org/small", "org/large"), ablation: bool = True, **changes: Any
) -> Study:
    """A study of scored models alone; ``changes`` go into every score record."""
    study = Study(folder)
    for place, model in enumerate(models):
        add_scored_model(study, model, loss=3.4 - 0.3 * place, reach=30.0 * (place + 1), ablation=ablation, **changes)
    return study


def write_ablated_study(folder: Path, **options: Any) -> Study:
    """The synthetic study with an ablation of every finished run."""
    study = write_synthetic_study(folder, **options)
    for record in study.score_records():
        add_ablation(study, record.score_id, reach=12.0 if "lstm" in record.score_id else 140.0)
    return study


def add_scored_model(
    study: Study, model: str, *, loss: float, reach: float = 60.0, ablation: bool = True, censored: bool = False, **changes: Any
) -> str:
    """Adds a model that the study did not train; returns its score id."""
    score_id = f"{model.replace('/', '--')}-score"
    record = score_of(score_id, model).model_copy(update=changes)
    write_record(study.score_file(score_id), record)
    ids = {"run_id": None, "score_id": score_id}
    sizes = {"num_layers": record.num_layers, "body_params": 1_200_000, "total_params": 1_500_000}
    _append(study, "runs", [ids | sizes | {"model": model} | _measured(loss)], RUNS_SCHEMA)
    shape = [1.6 * (low * high) ** -0.45 for low, high in BINS]
    bins = [
        {"position_from": low, "position_to": high, "loss_nats": loss + s, "loss_low": loss + s - 0.05, "loss_high": loss + s + 0.05}
        for (low, high), s in zip(BINS, shape, strict=True)
    ]
    _append(study, "positions", [ids | row | {"num_tokens": 9690, "num_documents": 89} for row in bins], POSITIONS_SCHEMA)
    if ablation:
        add_ablation(study, score_id, reach=reach, censored=censored)
    return score_id


def add_ablation(study: Study, score_id: str, *, reach: float, censored: bool = False) -> None:
    """Gives a score cuts of its context, an effective context and a record of the ablation."""
    rows = read_table(study.results_file("runs")).to_pylist()
    (row,) = [row for row in rows if row["score_id"] == score_id]
    row |= {
        "effective_context": float(CONTEXT_TOKENS) if censored else reach,
        "effective_context_low": reach / 2,
        "effective_context_high": float(CONTEXT_TOKENS) if censored else min(reach * 1.7, CONTEXT_TOKENS),
        "effective_context_censored": censored,
    }
    write_table(study.results_file("runs"), rows, RUNS_SCHEMA)
    ids = {"run_id": row["run_id"], "score_id": score_id}
    excess = [1.1 * math.exp(-2.5 * math.log(2 * k) / math.log(2 * reach)) * (1 - k / CONTEXT_TOKENS) for k in CUTS]
    cuts = [
        {
            "context_tokens": k,
            "context_from": k if k < CONTEXT_TOKENS else CONTEXT_TOKENS * 7 // 8 + 1,
            "context_to": min(k + k // 8, CONTEXT_TOKENS),
            "context_bytes": 2.6 * k,
            "loss_nats": row["loss_nats"] + e,
            "loss_low": row["loss_nats"] + e - 0.03,
            "loss_high": row["loss_nats"] + e + 0.03,
            "excess_nats": e,
            "excess_low": e - 0.01,
            "excess_high": e + 0.01,
            "num_tokens": 30_000,
            "num_documents": 89,
        }
        for k, e in zip(CUTS, excess, strict=True)
    ]
    _append(study, "ablation", [ids | cut for cut in cuts], ABLATION_SCHEMA)
    record = ScoreRecord.model_validate_json(study.score_file(score_id).read_text())
    keys = ("context_tokens", "context_from", "context_to")
    made = AblationRecord(
        cuts=tuple(Cut(**{key: cut[key] for key in keys}) for cut in cuts),
        num_rounds=4,
        max_rounds=16,
        targets_per_segment=CONTEXT_TOKENS // 8,
        num_targets=30_000,
        wanted_std_error_nats=0.007,
        std_error_nats=0.006,
        cost=2.1,
    )
    write_record(study.score_file(score_id), record.model_copy(update={"ablation": made}))


def score_of(score_id: str, model: str) -> ScoreRecord:
    """The record of a scored model, measured as the synthetic study's runs are."""
    return ScoreRecord(
        score_id=score_id,
        model=model,
        revision="0123456789abcdef0123456789abcdef01234567",
        corpus="python-stdlib",
        split="test",
        windows="within",
        windows_seed=0,
        max_windows_per_document=16,
        bos_policy="auto",
        bos_ids=(1,),
        context_tokens=CONTEXT_TOKENS,
        dtype="float32",
        num_documents=89,
        num_documents_too_short=17,
        num_blocks=969,
        num_tokens=969 * CONTEXT_TOKENS,
        tokens_fingerprint="abc123def4567890",
        weights_fingerprint="1" * 16,
        model_type="gpt2",
        num_layers=4,
        hidden_size=128,
        params=ParameterGroups(token_embedding=200_000, position_embedding=100_000, output_head=0, body=1_200_000),
        device="cpu (2 cores)",
        packages={"hf-ctxscale": "0.1.0", "torch": "2.13.0"},
        command=f"hf-ctxscale score {model} --corpus python-stdlib --context {CONTEXT_TOKENS} --ablation --out STUDY",
    )


def _measured(loss: float) -> Row:
    middle = {"loss_nats": loss, "bits_per_byte": loss / 2.1, "context_gain_nats": 0.11}
    halves = {"loss_nats": 0.07, "bits_per_byte": 0.03, "context_gain_nats": 0.02}
    limits = {f"{key}_{end}": middle[key] + sign * half for key, half in halves.items() for end, sign in (("low", -1), ("high", 1))}
    return middle | limits | {"num_documents": 89, "num_tokens": 969 * CONTEXT_TOKENS}


def _append(study: Study, table: Any, rows: list[Row], schema: Any) -> None:
    path = study.results_file(table)
    before = read_table(path).to_pylist() if path.is_file() else []
    write_table(path, [*before, *rows], schema)
