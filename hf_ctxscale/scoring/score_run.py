"""plan_run_score and score_run: one finished run measured on the study's test documents, in float32, written as a score."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from hf_ctxscale.config import ScoringSettings
from hf_ctxscale.data.blocks import Windows
from hf_ctxscale.data.documents import Split
from hf_ctxscale.data.tokens import Tokens
from hf_ctxscale.records import RunRecord, ScoreRecord
from hf_ctxscale.scoring.measure import Plan, choose_windows, measure, measure_ablation, with_score_id
from hf_ctxscale.scoring.open_model import open_causal_lm
from hf_ctxscale.scoring.resuming import forget_kept
from hf_ctxscale.study import Study

SPLIT: Split = "test"


def plan_run_score(record: RunRecord, *, study: Study, scoring: ScoringSettings, tokens: Tokens) -> Plan:
    """How a run is scored, and whether it is already."""
    windows = held_out_windows(tokens, split=SPLIT, scoring=scoring, context_tokens=record.context_tokens)
    folder = study.model_folder(record.run_id)
    planned = ScoreRecord(
        score_id="",
        model=folder.relative_to(study.folder).as_posix(),
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
        num_tokens=0,
        tokens_fingerprint=tokens.record.fingerprint,
        weights_fingerprint=weights_fingerprint(folder),
        tokenizer_fingerprint=tokens.tokenizer_fingerprint,
        bytes_rule=tokens.record.bytes_rule,
    )
    return Plan(with_score_id(planned, prefix=record.run_id), tokens, windows, SPLIT, study, scoring.batch_blocks)


def score_run(
    record: RunRecord,
    *,
    study: Study,
    scoring: ScoringSettings,
    tokens: Tokens,
    min_rounds: int = 1,
    show: Callable[[int, int], None] = lambda done, total: None,
) -> ScoreRecord:
    """Scores a finished run, and makes the ablation where the settings ask for it; what is there already is left as it is.

    Args:
        min_rounds: of the ablation; where another run of the study needed more, this one is taken as far.
    """
    plan = plan_run_score(record, study=study, scoring=scoring, tokens=tokens)
    score = plan.done
    missing_ablation = scoring.ablation and not has_ablation(score, min_rounds=min_rounds)
    if score is not None and not missing_ablation:
        return score
    opened = open_causal_lm(str(study.model_folder(record.run_id)))
    score = score or measure(plan, opened, show=lambda what, done, total: show(done, total))
    if missing_ablation:
        return measure_ablation(plan, opened, score, min_rounds=min_rounds)
    forget_kept(study.scores / score.score_id)
    return score


def has_ablation(score: ScoreRecord | None, *, min_rounds: int) -> bool:
    """Whether a score has an ablation of so many rounds, or of as many as there are windows for."""
    made = score.ablation if score else None
    return made is not None and made.num_rounds >= min(min_rounds, made.max_rounds)


def held_out_windows(tokens: Tokens, *, split: Split, scoring: ScoringSettings, context_tokens: int) -> Windows:
    """The windows of a split that every model of a study is measured on."""
    return choose_windows(
        tokens.split(split),
        policy=scoring.windows,
        context_tokens=context_tokens,
        max_windows_per_document=scoring.max_windows_per_document,
        seed=scoring.windows_seed,
    )


def weights_fingerprint(folder: Path) -> str:
    """Of the weights in a model folder, in one file or in several, and of what says how they are used: config and code."""
    files = sorted(file for pattern in ("*.safetensors", "*.bin", "config.json", "*.py") for file in folder.glob(pattern) if file.is_file())
    whole = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            whole.update(hashlib.file_digest(stream, "sha256").digest())
    return whole.hexdigest()
