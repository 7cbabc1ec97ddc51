"""plan_runs: the settings of a study as planned runs, each with its exact size, cost and identity."""

import hashlib
import json

from hf_ctxscale.config import FamilySettings, SizeSettings, StudySettings
from hf_ctxscale.records import Precision, RunRecord
from hf_ctxscale.sizing.flops import six_nd_flops, train_flops_per_token
from hf_ctxscale.sizing.match import match_size
from hf_ctxscale.study import UserError, size_label

# Raise it when a change of the training code changes what a run with the same settings comes out as.
TRAINING_RECIPE = 1


def plan_runs(settings: StudySettings, *, vocab_size: int, tokens_fingerprint: str, precision: Precision) -> list[RunRecord]:
    """Every run of the study, in the order of families, sizes, learning rates and seeds.

    Args:
        settings: the study.
        vocab_size: of its tokenizer.
        tokens_fingerprint: of its token streams: runs on other text are other runs.
        precision: "float32" or "bfloat16".

    Raises:
        UserError: a size cannot be met, or two entries describe the same run.
    """
    records = [
        _plan_run(
            settings,
            family,
            size,
            learning_rate=rate,
            seed=seed,
            vocab_size=vocab_size,
            tokens_fingerprint=tokens_fingerprint,
            precision=precision,
        )
        for family in settings.families
        for index, size in enumerate(settings.sizes)
        for rate in learning_rates(family, index)
        for seed in size.seeds or settings.seeds
    ]
    seen: set[str] = set()
    for record in records:
        if record.run_id in seen:
            raise UserError(f"families, sizes or seeds give run {record.run_id} twice; take one of the entries out.")
        seen.add(record.run_id)
    return records


def learning_rates(family: FamilySettings, size_index: int) -> tuple[float, ...]:
    """The peak learning rates that a family is trained with at a size."""
    if family.learning_rate_trials:
        return family.learning_rate_trials
    rate = family.learning_rate
    assert rate is not None
    return (rate[size_index],) if isinstance(rate, tuple) else (rate,)


def _plan_run(
    settings: StudySettings,
    family: FamilySettings,
    size: SizeSettings,
    *,
    learning_rate: float,
    seed: int,
    vocab_size: int,
    tokens_fingerprint: str,
    precision: Precision,
) -> RunRecord:
    match = match_size(
        family.architecture,
        body_params=size.body_params,
        num_layers=family.num_layers,
        vocab_size=vocab_size,
        context_tokens=settings.context_tokens,
        tolerance=settings.size_tolerance,
    )
    shape, count = match.shape, match.count
    step_tokens = settings.training.batch_blocks * settings.context_tokens
    train_steps = size.train_tokens // step_tokens
    train_tokens = train_steps * step_tokens
    flops_per_token = train_flops_per_token(family.architecture, shape, count, context_tokens=settings.context_tokens)
    decides = {
        "recipe": TRAINING_RECIPE,
        "tokens": tokens_fingerprint,
        "vocab_size": vocab_size,
        "architecture": family.architecture,
        "shape": vars(shape),
        "dropout": family.dropout,
        "learning_rate": learning_rate,
        "seed": seed,
        "context_tokens": settings.context_tokens,
        "train_steps": train_steps,
        "precision": precision,
        "training": settings.training.model_dump(exclude={"checkpoints"}),
    }
    settings_hash = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()
    return RunRecord(
        run_id=f"{family.architecture}-{shape.num_layers}l-{size_label(size.body_params)}-s{seed}-{settings_hash[:8]}",
        state="waiting",
        settings_hash=settings_hash,
        architecture=family.architecture,
        num_layers=shape.num_layers,
        hidden_size=shape.hidden_size,
        num_heads=shape.num_heads,
        embedding_size=shape.embedding_size,
        mlp_size=shape.mlp_size,
        dropout=family.dropout,
        target_body_params=size.body_params,
        params=count.groups,
        formula_body_params=match.formula_body_params,
        seed=seed,
        learning_rate=learning_rate,
        train_tokens=train_tokens,
        train_steps=train_steps,
        batch_blocks=settings.training.batch_blocks,
        context_tokens=settings.context_tokens,
        precision=precision,
        flops_per_token=flops_per_token,
        train_flops=flops_per_token * train_tokens,
        six_nd_flops=six_nd_flops(count.groups.body, train_tokens=train_tokens),
    )
