"""write_simulated_study: a study of 60 runs in four families as the package's own files, with simulated losses in place of trained models."""

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from interval_speed import by_columns
from simulated_studies import SEED_SD, Family, draw_curves

from hf_ctxscale.analysis.byte_bins import BYTE_BINS, byte_bin_of
from hf_ctxscale.analysis.sums import PositionLosses, save_losses
from hf_ctxscale.columns import HISTORY_SCHEMA
from hf_ctxscale.config import StudySettings, parse_settings
from hf_ctxscale.data.tokens import RECORD_NAME, SplitRecord, TokenRecord
from hf_ctxscale.files import write_record, write_table
from hf_ctxscale.records import AblationRecord, RunRecord, ScoreRecord
from hf_ctxscale.scoring.ablation import WANTED_STD_ERROR_NATS, ablation_cuts, targets_per_segment
from hf_ctxscale.study import Study
from hf_ctxscale.sweep.open_study import save_settings
from hf_ctxscale.sweep.plan import plan_runs

SIZES = (100_000, 316_000, 1_000_000, 3_160_000, 10_000_000)
SEEDS = (0, 1, 2)
TRAIN_TOKENS = 200_000_000
VOCAB_SIZE = 4096
BYTES_PER_TOKEN = 3
LOGGED_ROWS = 100  # of a run's history, as the Trainer of a study writes it; every tenth with a validation loss
FLOPS_PER_SECOND = 1e12
FINGERPRINT = "0" * 64
# Loss at the end of an endless context, E + A·N^-alpha, by family; above it a power law of the position, for LSTMs up to the position where it stops.
LEVELS: Mapping[Family, tuple[float, float, float]] = {
    ("lstm", 1): (2.2, 50.0, 0.29),
    ("lstm", 2): (2.1, 50.0, 0.29),
    ("lstm", 4): (2.0, 50.0, 0.29),
    ("gpt2", 2): (1.8, 60.0, 0.30),
}
FALL, EXPONENT, STOPS_AT = 5.0, 0.6, 128


def write_simulated_study(folder: Path, *, context_tokens: int = 1024, num_documents: int = 200) -> Study:
    """Writes everything that `analyse` and `draw` read of a study whose runs are all trained, scored and ablated; nothing else is in it."""
    study, rng = Study(folder), np.random.default_rng(0)
    settings = _settings(context_tokens)
    save_settings(study, settings)
    write_record(study.tokens / RECORD_NAME, _token_record(settings, num_documents=num_documents))
    planned = plan_runs(settings, vocab_size=VOCAB_SIZE, tokens_fingerprint=FINGERPRINT, precision="float32")
    curves_PT = np.array([expected_curve(run, context_tokens) + rng.normal(0, SEED_SD) for run in planned])
    for run, curve_T, losses in zip(planned, curves_PT, draw_curves(rng, curves_PT, num_documents=num_documents), strict=True):
        loss = float(curve_T.mean())
        trained = {"state": "finished", "train_loss_nats": loss - 0.05, "validation_loss_nats": loss}
        write_record(study.run_file(run.run_id), run.model_copy(update=trained | {"train_seconds": run.train_flops / FLOPS_PER_SECOND}))
        write_table(study.history_file(run.run_id), _history(run, loss), HISTORY_SCHEMA)
        _write_score(study, run, losses)
    return study


def expected_curve(run: RunRecord, context_tokens: int) -> np.ndarray:
    """Expected loss by position, (T,)."""
    e, a, alpha = LEVELS[run.architecture, run.num_layers]
    t = np.arange(1, context_tokens + 1.0)
    seen = t if run.architecture == "gpt2" else np.minimum(t, STOPS_AT)
    return e + a * run.params.body**-alpha + FALL * seen**-EXPONENT


def _write_score(study: Study, run: RunRecord, losses: PositionLosses) -> None:
    cuts = ablation_cuts(run.context_tokens)
    num_targets = targets_per_segment(run.context_tokens)
    score_id = f"{run.run_id}-within"
    record = ScoreRecord(
        score_id=score_id,
        model=study.model_folder(run.run_id).relative_to(study.folder).as_posix(),
        run_id=run.run_id,
        corpus="simulated",
        split="test",
        windows="within",
        windows_seed=0,
        max_windows_per_document=int(losses.num_blocks.max()),
        context_tokens=run.context_tokens,
        training_step=run.train_steps,
        dtype="float32",
        num_documents=len(losses.documents),
        num_documents_too_short=0,
        num_blocks=int(losses.num_blocks.sum()),
        num_tokens=int(losses.num_tokens.sum()),
        tokens_fingerprint=FINGERPRINT,
        weights_fingerprint=run.settings_hash,
        ablation=AblationRecord(
            cuts=cuts,
            num_rounds=1,
            max_rounds=1,
            targets_per_segment=num_targets,
            num_targets=num_targets * len(losses.documents),
            wanted_std_error_nats=WANTED_STD_ERROR_NATS,
            std_error_nats=WANTED_STD_ERROR_NATS,
            cost=1.0,
        ),
    )
    write_record(study.score_file(score_id), record)
    save_losses(study.losses_file(score_id), losses)
    column_T = byte_bin_of(BYTES_PER_TOKEN * np.arange(1, run.context_tokens + 1))
    save_losses(study.byte_losses_file(score_id), by_columns(losses, column_T, num_columns=len(BYTE_BINS)))
    # The losses at the cuts stand in for an ablation: what matters here is its shape.
    columns = np.array([cut.context_tokens - 1 for cut in cuts])
    arrays = (array[:, columns] for array in (losses.num_tokens, losses.num_bytes, losses.loss_sum_nats))
    save_losses(study.ablation_file(score_id), PositionLosses(losses.documents, losses.num_blocks, *arrays))


def _history(run: RunRecord, final_loss: float) -> list[dict]:
    rows = []
    for row, step in enumerate(np.linspace(run.train_steps / LOGGED_ROWS, run.train_steps, LOGGED_ROWS).astype(int).tolist(), start=1):
        loss = final_loss + (math.log(VOCAB_SIZE) - final_loss) * (1 - row / LOGGED_ROWS) ** 4
        rows.append(
            {
                "step": step,
                "tokens": step * run.batch_blocks * run.context_tokens,
                "train_loss_nats": loss - 0.05,
                "validation_loss_nats": loss if row % 10 == 0 else None,
                "learning_rate": run.learning_rate * math.cos(math.pi / 2 * row / LOGGED_ROWS) ** 2,
                "tokens_per_second": FLOPS_PER_SECOND / run.flops_per_token,
            }
        )
    return rows


def _settings(context_tokens: int) -> StudySettings:
    return parse_settings(
        {
            "name": "simulated",
            "corpus": {"path": "simulated"},
            "tokenizer": {"vocab_size": VOCAB_SIZE},
            "context_tokens": context_tokens,
            "precision": "float32",
            "sizes": [{"body_params": size, "train_tokens": TRAIN_TOKENS} for size in SIZES],
            "families": [
                {"architecture": architecture, "num_layers": num_layers, "learning_rate": 1e-3} for architecture, num_layers in LEVELS
            ],
            "seeds": list(SEEDS),
            "scoring": {"ablation": True},
        },
        source="simulated_folder.py",
    )


def _token_record(settings: StudySettings, *, num_documents: int) -> TokenRecord:
    def split(share: float) -> SplitRecord:
        num_tokens = int(share * TRAIN_TOKENS)
        return SplitRecord(
            num_documents=num_documents,
            num_tokens=num_tokens,
            num_bytes=BYTES_PER_TOKEN * num_tokens,
            longest_document_tokens=num_tokens // num_documents,
        )

    return TokenRecord(
        fingerprint=FINGERPRINT,
        decided_by={},
        corpus="simulated",
        corpus_settings=settings.corpus.model_dump(mode="json"),
        tokenizer_settings=settings.tokenizer.model_dump(mode="json"),
        source_files=None,
        source_versions={},
        packages={},
        split_rule="none: the losses are simulated",
        splits={"train": split(1.0), "validation": split(0.01), "test": split(0.02)},
        dropped={},
        near_duplicate_rule=None,
        near_duplicates=[],
        vocab_size=VOCAB_SIZE,
        end_of_text="<|endoftext|>",
        end_of_text_id=0,
        tokenizer_trained_bytes=None,
        bytes_rule="exact",
        notes=[],
    )
