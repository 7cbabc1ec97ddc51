"""A study folder with the losses that 12 small models might have, written through study.py's schemas: no model is trained."""

import json
import math
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from made_up_fits import write_made_up_fits
from ruamel.yaml import YAML

from hf_ctxscale.analysis.positions import log_bins
from hf_ctxscale.columns import CURVES_SCHEMA, HISTORY_SCHEMA, POSITIONS_SCHEMA, RUNS_SCHEMA
from hf_ctxscale.files import write_record, write_table
from hf_ctxscale.records import ParameterGroups, RunRecord, ScoreRecord
from hf_ctxscale.study import Study

Row = dict[str, Any]

CONTEXT_TOKENS = 256
VOCAB_SIZE = 1024
SIZES = {"26k": 26_000, "76k": 76_000, "222k": 222_000}
# Final loss, and how much of it is gained between position 32 and the end of the context.
MODELS = {
    ("lstm", 1): ((3.65, 0.00), (3.37, 0.01), (3.18, 0.01)),
    ("lstm", 2): ((3.74, 0.00), (3.45, 0.01), (3.23, 0.01)),
    ("lstm", 4): ((4.34, 0.00), (3.84, 0.00), (3.58, 0.01)),
    ("gpt2", 2): ((3.63, 0.01), (3.37, 0.06), (2.88, 0.12)),
}
BINS = log_bins(CONTEXT_TOKENS)


def write_synthetic_study(
    folder: Path,
    *,
    corpus: str = "python-stdlib",
    seeds: tuple[int, ...] = (0,),
    failed: tuple[str, ...] = (),
    unfinished: tuple[str, ...] = (),
    one_document: bool = False,
    fits: bool = True,
    trials: int = 1,
    models: dict = MODELS,
) -> Study:
    """Writes the files that charts and reports read; ``failed`` and ``unfinished`` name runs by id, such as ``gpt2-2-222k-s0``.

    With ``trials=2`` every run has a second one of another learning rate, ``-trial``, that the fits left out.
    """
    study = Study(folder)
    runs, curves, bins = [], [], []
    for (architecture, num_layers), outcomes in models.items():
        for (size, target), (loss, gain) in zip(SIZES.items(), outcomes, strict=False):
            for seed, trial in product(seeds, range(trials)):
                run_id = f"{architecture}-{num_layers}-{size}-s{seed}{'-trial' if trial else ''}"
                state = "failed" if run_id in failed else "training" if run_id in unfinished else "finished"
                record = _record(run_id, architecture, num_layers, target, seed, state).model_copy(
                    update={"learning_rate": 0.003 * 10**trial}
                )
                final = loss + 0.01 * seed + 0.3 * trial
                write_record(study.run_file(run_id), record)
                if state != "training":
                    runs.append(_planned(record))
                if state == "finished":
                    runs[-1] |= _trained(record) | _measured(final, gain, one_document=one_document)
                    ids = {"run_id": run_id, "score_id": runs[-1]["score_id"]}
                    curves += [ids | row for row in _curve_rows(final, gain)]
                    bins += [ids | row for row in _bin_rows(final, gain, one_document=one_document)]
                    write_record(study.score_file(ids["score_id"]), _score(run_id, corpus, one_document=one_document))
                    write_table(study.history_file(run_id), _history(final), HISTORY_SCHEMA)
    write_table(study.results_file("runs"), runs, RUNS_SCHEMA)
    write_table(study.results_file("curves"), curves, CURVES_SCHEMA)
    write_table(study.results_file("positions"), bins, POSITIONS_SCHEMA)
    if fits:
        write_made_up_fits(study)
    _write_setup(study, corpus=corpus, seeds=seeds, models=models)
    return study


def _planned(record: RunRecord) -> Row:
    same = ("run_id", "state", "reason", "architecture", "num_layers", "hidden_size", "seed", "learning_rate")
    sizes = {"body_params": record.params.body, "total_params": record.params.total}
    return {key: getattr(record, key) for key in same} | sizes | {"model": f"runs/{record.run_id}/model"}


def _trained(record: RunRecord) -> Row:
    same = ("train_tokens", "train_flops", "train_seconds", "train_loss_nats", "validation_loss_nats")
    return {key: getattr(record, key) for key in same} | {"score_id": f"{record.run_id}-score"}


def _curve_rows(loss: float, gain: float) -> list[Row]:
    noisy = _curve(loss, gain) + np.random.default_rng(0).normal(0, 0.05, CONTEXT_TOKENS)
    return [{"context_position": t + 1, "loss_nats": float(value), "num_tokens": 969} for t, value in enumerate(noisy)]


def _bin_rows(loss: float, gain: float, *, one_document: bool) -> list[Row]:
    curve, rows = _curve(loss, gain), []
    for low, high in BINS:
        mean, half = float(curve[low - 1 : high].mean()), 0.04 + 0.1 / math.sqrt(high - low + 1)
        limits = {} if one_document else {"loss_low": mean - half, "loss_high": mean + half}
        counts = {"num_tokens": 969 * (high - low + 1), "num_documents": 1 if one_document else 89}
        rows.append({"position_from": low, "position_to": high, "loss_nats": mean, **limits, **counts})
    return rows


def _record(run_id: str, architecture: str, num_layers: int, target: int, seed: int, state: str) -> RunRecord:
    body = round(target * (1.012 if architecture == "lstm" else 0.994)) + num_layers
    hidden = round(math.sqrt(target / (8 * num_layers)))
    return RunRecord(
        run_id=run_id,
        state=state,
        reason="the loss is nan | step 1200 of <2930>" if state == "failed" else None,
        settings_hash="0" * 16,
        architecture=architecture,
        num_layers=num_layers,
        hidden_size=hidden,
        num_heads=4 if architecture == "gpt2" else None,
        target_body_params=target,
        params=ParameterGroups(
            token_embedding=VOCAB_SIZE * hidden,
            position_embedding=CONTEXT_TOKENS * hidden if architecture == "gpt2" else 0,
            output_head=0,
            body=body,
        ),
        formula_body_params=body - 100,
        seed=seed,
        learning_rate=0.003,
        train_tokens=6_000_640,
        train_steps=2930,
        batch_blocks=8,
        context_tokens=CONTEXT_TOKENS,
        precision="float32",
        flops_per_token=6.5 * body,
        train_flops=6.5 * body * 6_000_640,
        six_nd_flops=6.0 * body * 6_000_640,
        train_seconds=183.4 if state == "finished" else None,
        train_loss_nats=3.1 if state == "finished" else None,
        validation_loss_nats=3.3 if state == "finished" else None,
        packages={"hf-ctxscale": "0.1.0", "torch": "2.13.0", "transformers": "5.23.0"},
        device="cpu (2 cores)",
    )


def _measured(loss: float, gain: float, *, one_document: bool) -> Row:
    middle = {
        "loss_nats": loss,
        "bits_per_byte": loss / 2.1,
        "context_gain_nats": gain / 4,
        "num_documents": 1 if one_document else 89,
        "num_tokens": 248_064,
    }
    if one_document:
        return middle
    halves = {"loss_nats": 0.07, "bits_per_byte": 0.03, "context_gain_nats": 0.03}
    return middle | {f"{key}_{end}": middle[key] + sign * half for key, half in halves.items() for end, sign in (("low", -1), ("high", 1))}


def _curve(loss: float, gain: float) -> np.ndarray:
    t = np.arange(1, CONTEXT_TOKENS + 1)
    shape = 1.6 * t**-0.9 - gain * np.log(np.maximum(t, 16) / 16) / math.log(16)
    return loss + shape - shape.mean()


def _score(run_id: str, corpus: str, *, one_document: bool) -> ScoreRecord:
    return ScoreRecord(
        score_id=f"{run_id}-score",
        model=f"runs/{run_id}/model",
        run_id=run_id,
        corpus=corpus,
        split="test",
        windows="within",
        windows_seed=0,
        max_windows_per_document=16,
        context_tokens=CONTEXT_TOKENS,
        training_step=2930,
        dtype="float32",
        num_documents=1 if one_document else 89,
        num_documents_too_short=0 if one_document else 17,
        num_blocks=969,
        num_tokens=969 * CONTEXT_TOKENS,
        tokens_fingerprint="abc123def4567890",
        weights_fingerprint="0" * 16,
    )


def _history(loss: float) -> list[Row]:
    steps = np.unique(np.geomspace(30, 2930, 10).astype(int))
    rows = []
    for step in steps:
        tokens = int(step) * 8 * CONTEXT_TOKENS
        value = loss + 3.2 * (1 - math.log(step / 30) / math.log(2930 / 30)) ** 1.7
        rows.append(
            {"step": int(step), "tokens": tokens, "train_loss_nats": value - 0.05, "validation_loss_nats": value, "learning_rate": 1e-3}
        )
    return rows


def _write_setup(study: Study, *, corpus: str, seeds: tuple[int, ...], models: dict) -> None:
    settings = {
        "name": "synthetic",
        "corpus": {"name": corpus, "path": None, "text_column": "text", "validation_fraction": 0.05, "test_fraction": 0.15},
        "tokenizer": {"vocab_size": VOCAB_SIZE, "path": None},
        "context_tokens": CONTEXT_TOKENS,
        "precision": "float32",
        "sizes": [{"body_params": size, "train_tokens": 6_000_000} for size in SIZES.values()],
        "families": [{"architecture": a, "num_layers": layers, "learning_rate": 0.003} for a, layers in models],
        "seeds": list(seeds),
        "training": {"batch_blocks": 8, "warmup_fraction": 0.05, "weight_decay": 0.1, "max_grad_norm": 1.0},
        "scoring": {"windows": "within", "max_windows_per_document": 16, "windows_seed": 0, "batch_blocks": 16},
        "workers": None,
    }
    study.config_file.parent.mkdir(parents=True, exist_ok=True)
    with study.config_file.open("w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump(settings, file)
    study.tokens.mkdir(parents=True, exist_ok=True)
    splits = {"train": (600, 3_200_000, 8_300_000), "validation": (35, 190_000, 480_000), "test": (106, 610_000, 1_600_000)}
    record = {
        "format": 1,
        "fingerprint": "abc123def4567890",
        "corpus": corpus,
        "corpus_settings": settings["corpus"],
        "tokenizer_settings": settings["tokenizer"],
        "source_versions": {"python": "3.11.2"},
        "split_rule": "by the hash of a document's content: 5 % validation, 15 % test",
        "splits": {
            name: {"num_documents": documents, "num_tokens": tokens, "num_bytes": num_bytes, "longest_document_tokens": 60_000}
            for name, (documents, tokens, num_bytes) in splits.items()
        },
        "dropped": {"empty": 0, "too_short": 22, "exact_duplicates": 3, "near_duplicates": 71, "also_held_out": 0},
        "near_duplicate_rule": "Jaccard index of word 5-grams of 0.5 or more",
        "vocab_size": VOCAB_SIZE,
        "bytes_rule": "exact",
        "notes": [],
    }
    (study.tokens / "corpus.json").write_text(json.dumps(record), encoding="utf-8")
