"""score_exact_predictor: the best possible losses of a study's synthetic corpus, as a score beside those of its runs."""

import hashlib

from hf_ctxscale.config import StudySettings
from hf_ctxscale.data.tokens import Tokens
from hf_ctxscale.records import ScoreRecord
from hf_ctxscale.scoring.exact_predictors import save_exact_predictor
from hf_ctxscale.scoring.measure import Plan, measure, measure_ablation, with_score_id
from hf_ctxscale.scoring.open_model import open_causal_lm
from hf_ctxscale.scoring.score_run import SPLIT, has_ablation, held_out_windows
from hf_ctxscale.study import Study

FOLDER_NAME = "best-possible"  # in the study


def score_exact_predictor(study: Study, settings: StudySettings, tokens: Tokens) -> ScoreRecord:
    """Scores the exact predictor of the study's synthetic corpus as its runs are scored: a score without a run. What is there already stays.

    Raises:
        UserError: the corpus is not synthetic, or the tokenizer does not give one token for each of its symbols.
    """
    assert settings.corpus.name is not None, "a synthetic corpus has a name"
    folder = study.folder / FOLDER_NAME
    save_exact_predictor(settings.corpus.name, tokenizer_folder=tokens.tokenizer_folder, folder=folder)
    scoring, context_tokens = settings.scoring, settings.context_tokens
    windows = held_out_windows(tokens, split=SPLIT, scoring=scoring, context_tokens=context_tokens)
    planned = ScoreRecord(
        score_id="",
        model=FOLDER_NAME,
        corpus=tokens.record.corpus,
        split=SPLIT,
        windows=scoring.windows,
        windows_seed=scoring.windows_seed,
        max_windows_per_document=scoring.max_windows_per_document,
        context_tokens=context_tokens,
        dtype="float64",
        num_documents=windows.num_documents,
        num_documents_too_short=windows.num_documents_too_short,
        num_blocks=len(windows),
        num_tokens=0,
        tokens_fingerprint=tokens.record.fingerprint,
        # Its weights are nothing: what it predicts is in the config.
        weights_fingerprint=hashlib.sha256((folder / "config.json").read_bytes()).hexdigest(),
        tokenizer_fingerprint=tokens.tokenizer_fingerprint,
        bytes_rule=tokens.record.bytes_rule,
    )
    plan = Plan(with_score_id(planned, prefix=FOLDER_NAME), tokens, windows, SPLIT, study, scoring.batch_blocks)
    score = plan.done
    # As far as that of the runs.
    min_rounds = study.ablation_rounds
    missing_ablation = scoring.ablation and not has_ablation(score, min_rounds=min_rounds)
    if score is not None and not missing_ablation:
        return score
    opened = open_causal_lm(str(folder), dtype=planned.dtype)
    score = score or measure(plan, opened)
    return measure_ablation(plan, opened, score, min_rounds=min_rounds) if missing_ablation else score
