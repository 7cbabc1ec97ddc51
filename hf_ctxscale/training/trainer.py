"""BlockTrainer: the Hugging Face Trainer, with one precision for training, float32 for validation, and losses by position.

Shapes: B blocks, T context positions, V vocabulary size.
"""

import contextlib
import inspect
import time
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from transformers import EvalPrediction, Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import ExportableState

from hf_ctxscale.analysis.positions import PositionLosses, PositionSums, Window, mean_loss, window_sums
from hf_ctxscale.records import RunRecord
from hf_ctxscale.training.batches import token_losses


class NonFiniteLossError(ArithmeticError):
    """The training loss is no longer a number."""


class BlockTrainer(Trainer):
    """A Trainer whose forward pass runs in the study's precision while training and in float32 while validating.

    Autocast stands here rather than in ``TrainingArguments(bf16=True)``: accelerate would keep it on during validation, and copy every batch of
    logits to float32 although nothing reads them.
    """

    precision: str = "float32"
    step_tokens: int = 0  # for the speed in the logs
    use_cache: bool = False  # of the model's config, which the Trainer switches off for good although a trained model's reader may want it
    _last_log: tuple[int, float] | None = None  # step and training seconds

    @property
    def clock(self) -> "TrainingClock":
        """The run's clock; a resumed Trainer replaces the one it was given, so it is looked up."""
        return next(callback for callback in self.callback_handler.callbacks if isinstance(callback, TrainingClock))

    @property
    def curves(self) -> "ValidationCurves":
        """What validation found by position so far; likewise looked up."""
        return next(callback for callback in self.callback_handler.callbacks if isinstance(callback, ValidationCurves))

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Keeps the losses by document and position beside their mean."""
        metrics = super().evaluate(*args, **kwargs)
        if isinstance(self.compute_metrics, ValidationLoss) and self.compute_metrics.losses is not None:
            self.curves.add(self.state.global_step, self.compute_metrics.losses)
        return metrics

    def autocast_smart_context_manager(self, cache_enabled: bool | None = True) -> contextlib.AbstractContextManager:
        """Autocast to bfloat16 around the forward pass of a training step, nothing around that of a validation step."""
        assert self.model is not None
        if self.precision == "bfloat16" and self.model.training:
            return torch.autocast(self.args.device.type, dtype=torch.bfloat16, cache_enabled=cache_enabled)
        return super().autocast_smart_context_manager(cache_enabled)

    def compute_loss(self, model: torch.nn.Module, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Tells a model that can do without all logits in memory that training reads its loss alone."""
        assert self.model is not None
        if self.model.training and self._can_skip_logits:
            inputs = {**inputs, "return_logits": False}
        return super().compute_loss(model, inputs, *args, **kwargs)

    @cached_property
    def _can_skip_logits(self) -> bool:
        assert self.model is not None
        return "return_logits" in inspect.signature(self.model.forward).parameters

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Adds the speed since the last log, and stops a run whose loss is not finite: no later step can mend it."""
        if "loss" in logs:
            now = (self.state.global_step, self.clock.seconds)
            if self._last_log is not None:
                logs["tokens_per_second"] = (now[0] - self._last_log[0]) * self.step_tokens / (now[1] - self._last_log[1])
            self._last_log = now
        super().log(logs, start_time)
        loss = logs.get("loss")
        if loss is not None and not torch.isfinite(torch.tensor(loss)):
            raise NonFiniteLossError(
                f"the training loss became {loss} by step {self.state.global_step}; lower the learning rate or max_grad_norm."
            )


def reduce_to_losses(logits: torch.Tensor | tuple[torch.Tensor, ...], labels_BT: torch.Tensor) -> torch.Tensor:
    """For ``preprocess_logits_for_metrics``: logits (B, T, V) to losses (B, T), so that no logits pile up."""
    return token_losses(logits[0] if isinstance(logits, tuple) else logits, labels_BT)


class ValidationLoss:
    """For ``compute_metrics`` with ``batch_eval_metrics``: running sums by document and position, batch after batch.

    The key is not ``loss``, which would overwrite the Trainer's own ``eval_loss``.

    Attributes:
        losses: of the last validation that came to its end.
    """

    def __init__(self, context_tokens: int, *, documents: Sequence[str] | None = None):
        """Begins with no sums.

        Args:
            context_tokens: T.
            documents: of every block, in the order in which they come; None: all are of one.
        """
        self.context_tokens = context_tokens
        self.documents = documents
        self.losses: PositionLosses | None = None
        self._begin()

    def _begin(self) -> None:
        self._sums = PositionSums(self.context_tokens)
        self._num_blocks = 0

    def __call__(self, prediction: EvalPrediction, compute_result: bool) -> dict[str, float]:
        """Adds a batch of losses; returns the mean and starts anew where ``compute_result``."""
        losses_BT = prediction.predictions
        first, self._num_blocks = self._num_blocks, self._num_blocks + len(losses_BT)
        own = self.documents[first : self._num_blocks] if self.documents is not None else ["validation"] * len(losses_BT)
        self._sums.add(losses_BT, documents=own)
        if not compute_result:
            return {}
        self.losses = self._sums.result()
        self._begin()
        return {"validation_loss_nats": mean_loss(self.losses).value}


class ValidationCurves(TrainerCallback, ExportableState):
    """Validation losses by document and bin of positions over training, kept across interruptions.

    Attributes:
        rows: of validation_curves.parquet, without the tokens.
    """

    def __init__(self, bins: Sequence[Window] = ()):
        self.bins: list[Window] = [(first, last) for first, last in bins]  # a checkpoint's JSON gives lists
        self.rows: list[dict[str, Any]] = []

    def add(self, step: int, losses: PositionLosses) -> None:
        """Adds one validation, in place of an earlier one of the same step."""
        tokens_DW, sums_DW = (window_sums(array, self.bins) for array in (losses.num_tokens, losses.loss_sum_nats))
        self.rows = [row for row in self.rows if row["step"] != step]
        self.rows += [
            {"step": step, "document": document, "num_tokens": tokens_W.tolist(), "loss_sum_nats": sums_W.tolist()}
            for document, tokens_W, sums_W in zip(losses.documents, tokens_DW, sums_DW, strict=True)
        ]

    def state(self) -> dict[str, dict[str, Any]]:
        """What a checkpoint keeps."""
        return {"args": {"bins": self.bins}, "attributes": {"rows": self.rows}}


class LogSpacedValidation(TrainerCallback):
    """Validates at given steps."""

    def __init__(self, steps: tuple[int, ...]):
        self.steps = frozenset(steps)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Asks for a validation where one is due, and for a log so that a training loss stands beside it."""
        if state.global_step in self.steps:
            control.should_evaluate = True
            control.should_log = True


class TrainingClock(TrainerCallback, ExportableState):
    """Seconds spent in training steps (validation and checkpoints left out), kept across interruptions."""

    def __init__(self, seconds: float = 0.0):
        self.seconds = seconds
        self._started: float | None = None

    def on_step_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Starts the clock."""
        self._started = time.perf_counter()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Stops the clock."""
        assert self._started is not None
        self.seconds += time.perf_counter() - self._started

    def state(self) -> dict[str, dict[str, float]]:
        """What a checkpoint keeps."""
        return {"args": {"seconds": self.seconds}, "attributes": {}}


def log_spaced_steps(num_steps: int, *, num_points: int) -> tuple[int, ...]:
    """About ``num_points`` whole steps, evenly spaced in their logarithm from 1 % of the run to its last step."""
    first = max(1, num_steps // 100)
    if num_points == 1 or first == num_steps:
        return (num_steps,)
    ratio = (num_steps / first) ** (1 / (num_points - 1))
    return tuple(sorted({round(first * ratio**point) for point in range(num_points - 1)} | {num_steps}))


def training_arguments(record: RunRecord, *, output_dir: str, training: Any) -> TrainingArguments:
    """The Trainer's settings for a run: fused AdamW, warm-up and cosine to zero, clipping, checkpoints to resume from.

    Args:
        record: the planned run.
        output_dir: where checkpoints go.
        training: the study's TrainingSettings.
    """
    return TrainingArguments(
        output_dir=output_dir,
        max_steps=record.train_steps,
        per_device_train_batch_size=record.batch_blocks,
        per_device_eval_batch_size=record.batch_blocks,
        learning_rate=record.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=max(1, round(training.warmup_fraction * record.train_steps)),
        optim="adamw_torch_fused",
        weight_decay=training.weight_decay,
        adam_beta1=training.adam_beta1,
        adam_beta2=training.adam_beta2,
        max_grad_norm=training.max_grad_norm,
        seed=record.seed,
        data_seed=record.seed,
        save_strategy="steps",
        save_steps=max(1, -(-record.train_steps // training.checkpoints)),
        save_total_limit=2,
        restore_callback_states_from_checkpoint=True,
        logging_steps=max(1, record.train_steps // 100),
        logging_nan_inf_filter=False,
        batch_eval_metrics=True,
        label_names=["labels"],
        remove_unused_columns=False,
        dataloader_drop_last=True,
        dataloader_pin_memory=torch.cuda.is_available(),
        report_to="none",
        disable_tqdm=True,
    )
