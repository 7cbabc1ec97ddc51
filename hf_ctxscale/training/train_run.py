"""train_run: one planned run to a finished model folder, resuming where it was interrupted."""

import json
import platform
import shutil
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
import transformers
from torch.utils.data import Dataset
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from hf_ctxscale.analysis.condense import condensed_bins
from hf_ctxscale.analysis.condensed import BINS_KEY
from hf_ctxscale.architectures import Shape
from hf_ctxscale.columns import HISTORY_SCHEMA, VALIDATION_CURVES_SCHEMA
from hf_ctxscale.config import StudySettings
from hf_ctxscale.data.blocks import PackedBlocks, WithinWindows
from hf_ctxscale.data.tokens import Tokens
from hf_ctxscale.files import write_record, write_table
from hf_ctxscale.records import RunRecord
from hf_ctxscale.sizing.parameters import build_config
from hf_ctxscale.study import Study
from hf_ctxscale.training.batches import collate_blocks
from hf_ctxscale.training.trainer import (
    BlockTrainer,
    LogSpacedValidation,
    NonFiniteLossError,
    TrainingClock,
    ValidationCurves,
    ValidationLoss,
    log_spaced_steps,
    reduce_to_losses,
    training_arguments,
)

RECORDED_PACKAGES = ("hf-ctxscale", "torch", "transformers", "accelerate", "tokenizers", "datasets", "numpy")


class _Indexed(Dataset):
    """A sequence of blocks as a torch Dataset."""

    def __init__(self, blocks: PackedBlocks | WithinWindows, *, take: Callable[[Any], Any] = lambda item: item):
        self.blocks = blocks
        self.take = take

    def __len__(self) -> int:
        return len(self.blocks)

    def __getitem__(self, index: int) -> Any:
        return self.take(self.blocks[index])


class _Progress(TrainerCallback):
    """Hands every log on, with the step it belongs to."""

    def __init__(self, show: Callable[[int, dict[str, float]], None]):
        self.show = show

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: dict[str, float] | None = None, **kwargs: Any
    ) -> None:
        """Passes the logs on."""
        self.show(state.global_step, logs or {})


def build_model(record: RunRecord, *, vocab_size: int, end_of_text_id: int | None = None) -> PreTrainedModel:
    """The run's model with initial weights drawn from its seed."""
    config = build_config(
        record.architecture,
        Shape(record.num_layers, record.hidden_size, record.num_heads, record.embedding_size, record.mlp_size),
        vocab_size=vocab_size,
        context_tokens=record.context_tokens,
        dropout=record.dropout,
        end_of_text_id=end_of_text_id,
    )
    transformers.set_seed(record.seed)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    # What transformers would take anyway, with a warning, for a class that is not named ...ForCausalLM.
    model.loss_type = "ForCausalLM"
    return model


def build_trainer(
    record: RunRecord,
    *,
    settings: StudySettings,
    tokens: Tokens,
    checkpoints: Path,
    show: Callable[[int, dict[str, float]], None] = lambda step, logs: None,
) -> BlockTrainer:
    """The Trainer of a planned run, its model with initial weights among it.

    Args:
        record: the planned run.
        settings: how every run of the study is trained.
        tokens: training and validation streams.
        checkpoints: where checkpoints go.
        show: called with the step and the logs whenever there are new ones.
    """
    validation = WithinWindows(
        tokens.split("validation"),
        context_tokens=record.context_tokens,
        max_windows_per_document=settings.scoring.max_windows_per_document,
        seed=settings.scoring.windows_seed,
        max_blocks=settings.training.validation_blocks,
    )
    documents = tokens.split("validation").documents
    model = build_model(record, vocab_size=tokens.vocab_size, end_of_text_id=tokens.end_of_text_id)
    use_cache = model.config.use_cache
    trainer = BlockTrainer(
        model=model,
        args=training_arguments(record, output_dir=str(checkpoints), training=settings.training),
        data_collator=collate_blocks,
        train_dataset=_Indexed(PackedBlocks(tokens.split("train"), context_tokens=record.context_tokens)),
        eval_dataset=_Indexed(validation, take=lambda window: window.block),
        compute_metrics=ValidationLoss(  # type: ignore[arg-type]  # batch_eval_metrics calls it with a second argument
            record.context_tokens, documents=[documents[index] for index in validation.document_indices]
        ),
        preprocess_logits_for_metrics=reduce_to_losses,
        callbacks=[
            LogSpacedValidation(log_spaced_steps(record.train_steps, num_points=settings.training.validation_points)),
            TrainingClock(),
            ValidationCurves(condensed_bins(record.context_tokens)),
            _Progress(show),
        ],
    )
    trainer.precision = record.precision
    trainer.use_cache = use_cache
    trainer.step_tokens = record.batch_blocks * record.context_tokens
    return trainer


def train_run(
    record: RunRecord,
    *,
    study: Study,
    settings: StudySettings,
    tokens: Tokens,
    show: Callable[[int, dict[str, float]], None] = lambda step, logs: None,
) -> RunRecord:
    """Trains one run and writes its model, history and record; a run with checkpoints continues from the last whole one.

    Args:
        record: the planned run.
        study: where it goes.
        settings: how every run of the study is trained.
        tokens: training and validation streams.
        show: called with the step and the logs whenever there are new ones.

    Returns:
        The record, finished, or failed with its reason where the loss was not finite.
    """
    folder = study.run_folder(record.run_id)
    checkpoints = folder / "checkpoints"
    record = record.model_copy(update={"state": "training", "packages": package_versions(), "device": device_name()})
    write_record(study.run_file(record.run_id), record)
    # Tiny gradients of a deep LSTM fall below float32's normal range, where processors are many times slower.
    torch.set_flush_denormal(True)
    trainer = build_trainer(record, settings=settings, tokens=tokens, checkpoints=checkpoints, show=show)
    try:
        trainer.train(resume_from_checkpoint=last_whole_checkpoint(checkpoints))
    except NonFiniteLossError as error:
        return _close(record.model_copy(update={"state": "failed", "reason": str(error)}), study=study, trainer=trainer)

    aside = folder / ".model.tmp"
    shutil.rmtree(aside, ignore_errors=True)
    assert isinstance(trainer.model, PreTrainedModel)
    trainer.model.config.use_cache = trainer.use_cache
    trainer.model.save_pretrained(aside)
    AutoTokenizer.from_pretrained(tokens.tokenizer_folder).save_pretrained(aside)
    shutil.rmtree(study.model_folder(record.run_id), ignore_errors=True)
    aside.rename(study.model_folder(record.run_id))
    return _close(record.model_copy(update={"state": "finished"}), study=study, trainer=trainer)


def _close(record: RunRecord, *, study: Study, trainer: BlockTrainer) -> RunRecord:
    """Writes history and record, then drops the checkpoints, which only an unfinished run needs."""
    history = history_rows(trainer.state.log_history, tokens_per_step=record.batch_blocks * record.context_tokens)
    write_table(study.history_file(record.run_id), history, HISTORY_SCHEMA)
    _write_validation_curves(study.validation_curves_file(record.run_id), trainer)
    tail = [row["train_loss_nats"] for row in history if row["train_loss_nats"] is not None and row["step"] > 0.9 * record.train_steps]
    validation = [row["validation_loss_nats"] for row in history if row["validation_loss_nats"] is not None]
    record = record.model_copy(
        update={
            "train_seconds": trainer.clock.seconds,
            "train_loss_nats": sum(tail) / len(tail) if tail else None,
            "validation_loss_nats": validation[-1] if validation and record.state == "finished" else None,
        }
    )
    write_record(study.run_file(record.run_id), record)
    shutil.rmtree(study.run_folder(record.run_id) / "checkpoints", ignore_errors=True)
    return record


def _write_validation_curves(path: Path, trainer: BlockTrainer) -> None:
    """Writes the losses by document and bin of every validation so far, and which positions the bins hold."""
    curves = trainer.curves
    rows = [row | {"tokens": row["step"] * trainer.step_tokens} for row in curves.rows]
    write_table(path, rows, VALIDATION_CURVES_SCHEMA.with_metadata({BINS_KEY: json.dumps(curves.bins)}))


def history_rows(log_history: list[dict[str, float]], *, tokens_per_step: int) -> list[dict[str, Any]]:
    """The Trainer's log as rows of history.parquet, one per step that logged something."""
    rows: dict[int, dict[str, Any]] = {}
    for entry in log_history:
        step = int(entry["step"])
        row = rows.setdefault(step, {"step": step, "tokens": step * tokens_per_step, "train_loss_nats": None, "validation_loss_nats": None})
        if "loss" in entry:
            row.update(
                train_loss_nats=entry["loss"], learning_rate=entry["learning_rate"], tokens_per_second=entry.get("tokens_per_second")
            )
        if "eval_validation_loss_nats" in entry:
            row["validation_loss_nats"] = entry["eval_validation_loss_nats"]
    return [
        rows[step] for step in sorted(rows) if rows[step]["train_loss_nats"] is not None or rows[step]["validation_loss_nats"] is not None
    ]


def last_whole_checkpoint(folder: Path) -> str | None:
    """The newest checkpoint that was written to its end (the Trainer writes its state last), or None."""
    whole = [path.parent for path in folder.glob(f"{PREFIX_CHECKPOINT_DIR}-*/trainer_state.json")]
    return str(max(whole, key=lambda path: int(path.name.rsplit("-", 1)[1]))) if whole else None


def package_versions() -> dict[str, str]:
    """Versions of what decides a run's numbers."""
    return {"python": platform.python_version(), **{name: version(name) for name in RECORDED_PACKAGES}}


def device_name() -> str:
    """The device that training runs on, in words."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{platform.machine()} CPU, {torch.get_num_threads()} thread(s)"
