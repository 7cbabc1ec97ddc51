"""score_run: one finished run measured on the study's test documents, written as a score."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM

import hf_ctxscale.models  # noqa: F401 (registers the LSTM)
from hf_ctxscale.analysis.positions import save_losses
from hf_ctxscale.config import ScoringSettings
from hf_ctxscale.data.blocks import WithinWindows
from hf_ctxscale.data.documents import Split
from hf_ctxscale.data.tokens import Tokens
from hf_ctxscale.files import write_record
from hf_ctxscale.scoring.score_model import score_model
from hf_ctxscale.study import RunRecord, ScoreRecord, Study

SPLIT: Split = "test"


def score_id_of(record: RunRecord, *, scoring: ScoringSettings) -> str:
    """The score's folder name: the run and all that decides the windows."""
    settings = scoring.model_dump_json(exclude={"batch_blocks"})
    return f"{record.run_id}-{scoring.windows}-{hashlib.sha256(settings.encode()).hexdigest()[:6]}"


def score_run(
    record: RunRecord,
    *,
    study: Study,
    scoring: ScoringSettings,
    tokens: Tokens,
    show: Callable[[int, int], None] = lambda done, total: None,
) -> ScoreRecord:
    """Scores a finished run in float32 on test windows; losses first and the record last, so that a record means a whole score."""
    score_id = score_id_of(record, scoring=scoring)
    folder = study.model_folder(record.run_id)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    if torch.cuda.is_available():
        model.to("cuda")  # type: ignore[arg-type]  # transformers wraps nn.Module.to
    windows = held_out_windows(tokens, split=SPLIT, scoring=scoring, context_tokens=record.context_tokens)
    losses = score_model(
        model,
        windows,
        documents=tokens.split(SPLIT).documents,
        num_bytes_by_id=tokens.num_bytes_by_id,
        batch_blocks=scoring.batch_blocks,
        show=show,
    )
    save_losses(study.losses_file(score_id), losses)
    score = ScoreRecord(
        score_id=score_id,
        model=str(folder.relative_to(study.folder)),
        run_id=record.run_id,
        corpus=tokens.record.corpus,
        split=SPLIT,
        windows=scoring.windows,
        windows_seed=scoring.windows_seed,
        max_windows_per_document=scoring.max_windows_per_document,
        context_tokens=record.context_tokens,
        training_step=record.train_steps,
        dtype="float32",
        num_documents=windows.num_documents,
        num_documents_too_short=windows.num_documents_too_short,
        num_blocks=len(windows),
        num_tokens=int(losses.num_tokens.sum()),
        tokens_fingerprint=tokens.record.fingerprint,
        weights_fingerprint=_file_hash(folder / "model.safetensors"),
    )
    write_record(study.score_file(score_id), score)
    return score


def held_out_windows(tokens: Tokens, *, split: Split, scoring: ScoringSettings, context_tokens: int) -> WithinWindows:
    """The windows of a split that every model of a study is measured on."""
    return WithinWindows(
        tokens.split(split),
        context_tokens=context_tokens,
        max_windows_per_document=scoring.max_windows_per_document,
        seed=scoring.windows_seed,
    )


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
