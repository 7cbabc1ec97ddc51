"""Tokens per second of our training path (Trainer, blocks, collation) against a bare torch loop, side by side in one run.

Same model, batch, precision, threads, optimiser, clipping and schedule; segments of the two alternate, and the ratio is taken pair by pair, so that a
machine whose speed drifts does not decide it. Validation and checkpoints are left out of both. Run it on an idle machine:
``python benchmarks/training_overhead.py``.
"""

import argparse
import platform
import statistics
import tempfile
import time
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch.nn import functional
from torch.nn.utils import clip_grad_norm_
from transformers import TrainerCallback, get_cosine_schedule_with_warmup

from hf_ctxscale.config import StudySettings, find_config, load_settings
from hf_ctxscale.data.blocks import PackedBlocks
from hf_ctxscale.data.build import build_tokens
from hf_ctxscale.data.tokens import Tokens, load_tokens
from hf_ctxscale.records import Precision, RunRecord
from hf_ctxscale.sweep.plan import plan_runs
from hf_ctxscale.training.probe import processor_has_bfloat16
from hf_ctxscale.training.train_run import build_model, build_trainer

WARMUP_STEPS = 5


class _Stopwatch(TrainerCallback):
    """Seconds from the end of the warm-up steps to the end of the last one, everything between steps included."""

    def __init__(self) -> None:
        self.started = self.ended = 0.0

    def on_step_end(self, args, state, control, **kwargs) -> None:  # type: ignore[no-untyped-def]
        if state.global_step == WARMUP_STEPS:
            self.started = time.perf_counter()
        self.ended = time.perf_counter()


def time_ours(record: RunRecord, *, settings: StudySettings, tokens: Tokens) -> float:
    """Tokens per second of the Trainer."""
    stopwatch = _Stopwatch()
    with tempfile.TemporaryDirectory() as folder:
        trainer = build_trainer(record, settings=settings, tokens=tokens, checkpoints=Path(folder))
        trainer.args.save_strategy = "no"
        trainer.eval_dataset = None
        trainer.callback_handler.callbacks = [c for c in trainer.callback_handler.callbacks if type(c).__name__ != "LogSpacedValidation"]
        trainer.add_callback(stopwatch)
        trainer.train()
    return (record.train_steps - WARMUP_STEPS) * record.batch_blocks * record.context_tokens / (stopwatch.ended - stopwatch.started)


def time_bare(record: RunRecord, *, settings: StudySettings, tokens: Tokens) -> float:
    """Tokens per second of a loop with nothing but the training itself: blocks already in memory as one tensor."""
    model = build_model(record, vocab_size=tokens.vocab_size).train()
    training = settings.training
    optimizer = torch.optim.AdamW(
        model.parameters(),
        lr=record.learning_rate,
        betas=(training.adam_beta1, training.adam_beta2),
        weight_decay=training.weight_decay,
        fused=True,
    )
    schedule = get_cosine_schedule_with_warmup(optimizer, max(1, record.train_steps // 20), record.train_steps)
    packed = PackedBlocks(tokens.split("train"), context_tokens=record.context_tokens)
    blocks_NS = torch.stack([torch.from_numpy(packed[index]) for index in range(min(len(packed), 2000))])
    started = 0.0
    for step in range(record.train_steps):
        if step == WARMUP_STEPS:
            started = time.perf_counter()
        block_BS = blocks_NS[torch.randint(len(blocks_NS), (record.batch_blocks,))]
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=record.precision == "bfloat16"):
            logits = model(input_ids=block_BS[:, :-1]).logits
            loss = functional.cross_entropy(logits.float().flatten(0, 1), block_BS[:, 1:].flatten())
        loss.backward()
        clip_grad_norm_(model.parameters(), training.max_grad_norm)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    return (record.train_steps - WARMUP_STEPS) * record.batch_blocks * record.context_tokens / (time.perf_counter() - started)


def main() -> None:
    """Prints a table: tokens per second of both, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=7, help="paired segments per model")
    parser.add_argument("--tokens", type=int, default=120_000, help="training tokens per segment")
    parser.add_argument("--only", default="", help="models whose name holds this text, such as gpt2 or 222")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    settings = load_settings(find_config("demo"))
    precision: Precision = "bfloat16" if processor_has_bfloat16() else "float32"
    table = Table(title=f"training on one thread in {precision}; torch {torch.__version__}, {platform.processor() or platform.machine()}")
    for column in ("model", "ours, tokens/s", "bare loop, tokens/s", "ratio, median", "lowest", "highest"):
        table.add_column(column, justify="right")
    with tempfile.TemporaryDirectory() as folder:
        build_tokens(settings.corpus, settings.tokenizer, folder=Path(folder), show=lambda text: None)
        tokens = load_tokens(Path(folder))
        sizes = tuple(size.model_copy(update={"train_tokens": arguments.tokens}) for size in settings.sizes)
        settings = settings.model_copy(update={"sizes": sizes})
        for record in plan_runs(settings, vocab_size=tokens.vocab_size, tokens_fingerprint="benchmark", precision=precision):
            if arguments.only not in record.run_id:
                continue
            pairs = [
                (time_ours(record, settings=settings, tokens=tokens), time_bare(record, settings=settings, tokens=tokens))
                for _ in range(arguments.pairs)
            ]
            ratios = [ours / bare for ours, bare in pairs]
            table.add_row(
                f"{record.series} {record.params.body:,}",
                *(f"{statistics.median(side):,.0f}" for side in zip(*pairs, strict=True)),
                *(f"{value:.2f}" for value in (statistics.median(ratios), min(ratios), max(ratios))),
            )
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
