"""score_models: several causal language models on the same documents and windows, each written as a score of a study."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from transformers import PreTrainedTokenizerBase

from hf_ctxscale.data.blocks import Windows
from hf_ctxscale.data.tokens import Tokens
from hf_ctxscale.records import AblationRecord, RunRecord, ScoreRecord
from hf_ctxscale.scoring.measure import Plan, Show, choose_windows, measure, measure_ablation, with_score_id
from hf_ctxscale.scoring.open_model import (
    OpenedModel,
    bos_ids_of,
    check_dtype,
    commit_of,
    max_positions_of,
    open_causal_lm,
    open_config,
    open_model_tokenizer,
)
from hf_ctxscale.scoring.resuming import forget_kept, processes
from hf_ctxscale.scoring.score_options import ScoreOptions, command_of
from hf_ctxscale.scoring.score_run import has_ablation, weights_fingerprint
from hf_ctxscale.scoring.scored_corpus import ScoredCorpus, folder_name, tokenizer_fingerprint
from hf_ctxscale.study import Study, UserError


class _Target(NamedTuple):
    """A model that is going to be scored, before its weights are opened."""

    name: str
    run: RunRecord | None
    tokenizer: PreTrainedTokenizerBase
    tokens: Tokens
    windows: Windows
    bos_ids: tuple[int, ...]
    weights_fingerprint: str
    revision: str | None


def score_models(
    names: Sequence[str],
    *,
    corpus: ScoredCorpus,
    options: ScoreOptions,
    say: Callable[[str], None] = lambda text: None,
    show: Callable[[str], Show] = lambda name: lambda what, done, total: None,
) -> list[ScoreRecord]:
    """Scores every model that is not scored yet; documents and, with one tokenizer, windows and targets are the same for all.

    What can be refused is refused before the first model is opened. A study's folder among the names stands for all its finished runs.

    Args:
        names: local folders or Hub ids.
        corpus: what to score on, and the study that the scores belong to.
        options: how.
        say: is told in a sentence what was done or skipped.
        show: gives, for a model's name, what is told how far it has come.

    Raises:
        UserError: a model, the corpus or the options cannot be used; what was finished before stays.
    """
    check_dtype(options.dtype)
    if options.ablation and options.carry_state:
        raise UserError(
            "--ablation cuts the context that a model has seen, --carry-state keeps all of the document in its state: they exclude each other; "
            "score without one of them."
        )
    study = corpus.study
    targets = _targets(_expanded(names, study=study), corpus=corpus, options=options, say=say)
    plans = [_plan(target, targets=targets, corpus=corpus, options=options) for target in targets]
    records = []
    for target, plan in zip(targets, plans, strict=True):
        record = plan.done
        if record is not None:
            say(f"{target.name} is scored already; skipped.")
        else:
            record = measure(plan, _open(target, options), show=show(target.name))
        records.append(record)
    if options.ablation:
        records = _ablations(targets, plans, records, options=options, say=say, show=show)
    if processes().is_main_process:
        for record in records:
            forget_kept(study.scores / record.score_id)
    return records


def _expanded(names: Sequence[str], *, study: Study) -> list[tuple[str, RunRecord | None]]:
    """Every name once, with the run that it is; a study's folder is all its finished runs."""
    found: dict[str, RunRecord | None] = {}
    own = {study.model_folder(run.run_id).resolve(): run for run in study.run_records()}
    for name in names:
        path = Path(name).expanduser()
        other = Study(path)
        if path.is_dir() and other.config_file.is_file():
            finished = [run for run in other.run_records() if run.state == "finished"]
            if not finished:
                raise UserError(f"{name!r} is a study without a finished run; train some with `hf-ctxscale run`, or name a model folder.")
            folders = [str(other.model_folder(run.run_id)) for run in finished]
        else:
            folders = [name]
        found |= {folder: own.get(Path(folder).expanduser().resolve()) for folder in folders}
    return list(found.items())


def _targets(
    names: Sequence[tuple[str, RunRecord | None]], *, corpus: ScoredCorpus, options: ScoreOptions, say: Callable[[str], None]
) -> list[_Target]:
    targets = []
    tokens_of: dict[str, Tokens] = {}
    for name, run in names:
        config = open_config(name, revision=options.revision, trust_remote_code=options.trust_remote_code)
        commit = commit_of(name, revision=options.revision)
        if options.tokenizer:
            tokenizer = open_model_tokenizer(options.tokenizer, trust_remote_code=options.trust_remote_code)
        else:
            tokenizer = open_model_tokenizer(name, revision=commit, trust_remote_code=options.trust_remote_code)
        bos_ids = bos_ids_of(tokenizer, options.bos)
        check_positions(name, options.context_tokens, num_bos=len(bos_ids), max_positions=max_positions_of(config))
        fingerprint = tokenizer_fingerprint(tokenizer)
        if fingerprint not in tokens_of:
            tokens_of[fingerprint] = corpus.tokens_of(tokenizer, show=say)
        tokens = tokens_of[fingerprint]
        windows = _windows(tokens, corpus=corpus, options=options)
        weights = commit or weights_fingerprint(Path(name).expanduser())
        targets.append(_Target(name, run, tokenizer, tokens, windows, bos_ids, weights, commit))
    return targets


def check_positions(name: str, context_tokens: int, *, num_bos: int, max_positions: int | None) -> None:
    """Raises a UserError where a model has not so many positions."""
    if max_positions is None or context_tokens + num_bos <= max_positions:
        return
    before = f" and {num_bos} BOS token{'' if num_bos == 1 else 's'}" if num_bos else ""
    or_without = ", or leave the BOS token out with --bos none" if num_bos == context_tokens + num_bos - max_positions else ""
    raise UserError(
        f"context_tokens={context_tokens}{before} exceeds the {max_positions} positions of {name!r}; score at most "
        f"--context {max_positions - num_bos}{or_without}."
    )


def _windows(tokens: Tokens, *, corpus: ScoredCorpus, options: ScoreOptions, only: frozenset[str] | None = None) -> Windows:
    split = tokens.split(corpus.split)
    return choose_windows(
        split if only is None else split.only(only),
        policy=options.windows,
        context_tokens=options.context_tokens,
        max_windows_per_document=options.max_windows_per_document,
        seed=options.windows_seed,
    )


def _plan(target: _Target, *, targets: Sequence[_Target], corpus: ScoredCorpus, options: ScoreOptions) -> Plan:
    """The score of one model; with several tokenizers, on the documents that are long enough in the tokens of each."""
    tokens, windows = target.tokens, target.windows
    num_not_shared, only = 0, None
    others = [other.windows.long_enough for other in targets if other.tokens is not tokens]
    if others and options.windows != "packed":
        shared = set(windows.long_enough).intersection(*others)
        if not shared:
            raise UserError(
                f"no document is long enough for context_tokens={options.context_tokens} in the tokens of every model; score a shorter --context, "
                "or the models apart."
            )
        num_not_shared = windows.num_documents - len(shared)
        if num_not_shared:
            only = frozenset(shared)
            windows = _windows(tokens, corpus=corpus, options=options, only=only)
    run, study = target.run, corpus.study
    record = ScoreRecord(
        score_id="",
        model=target.name if run is None else study.model_folder(run.run_id).relative_to(study.folder).as_posix(),
        run_id=None if run is None else run.run_id,
        revision=target.revision,
        corpus=corpus.source.label,
        split=corpus.split_name,
        windows=options.windows,
        windows_seed=options.windows_seed,
        max_windows_per_document=options.max_windows_per_document,
        bos_policy=options.bos,
        bos_ids=target.bos_ids,
        carry_state=options.carry_state,
        context_tokens=options.context_tokens,
        training_step=None if run is None else run.train_steps,
        dtype=options.dtype,
        num_documents=windows.num_documents,
        num_documents_too_short=target.windows.num_documents_too_short,
        num_documents_not_shared=num_not_shared,
        num_blocks=len(windows),
        num_tokens=0,
        tokens_fingerprint=tokens.record.fingerprint,
        weights_fingerprint=target.weights_fingerprint,
        tokenizer_fingerprint=tokenizer_fingerprint(target.tokenizer),
        bytes_rule=tokens.record.bytes_rule,
        # Which documents are shared depends on the other models.
        command=command_of(
            [target.name, *(other.name for other in targets if num_not_shared and other is not target)], corpus=corpus, options=options
        ),
    )
    local = Path(target.name).expanduser()
    prefix = run.run_id if run is not None else folder_name(local.resolve().name if local.is_dir() else target.name)
    return Plan(with_score_id(record, prefix=prefix), tokens, windows, corpus.split, study, options.batch_blocks, only)


def _open(target: _Target, options: ScoreOptions) -> OpenedModel:
    return open_causal_lm(
        target.name,
        revision=target.revision,
        trust_remote_code=options.trust_remote_code,
        dtype=options.dtype,
        device=options.device or str(processes().device),
        tokenizer=options.tokenizer,
    )


def _ablations(
    targets: Sequence[_Target],
    plans: Sequence[Plan],
    records: list[ScoreRecord],
    *,
    options: ScoreOptions,
    say: Callable[[str], None],
    show: Callable[[str], Show],
) -> list[ScoreRecord]:
    """Makes the ablations that are missing; each model takes as many rounds as the one that needs the most, so that targets are shared."""
    done = list(records)
    while True:
        rounds = max((record.ablation.num_rounds for record in done if record.ablation), default=1)
        behind = [number for number, record in enumerate(done) if not has_ablation(record, min_rounds=rounds)]
        if not behind:
            return done
        for number in behind:
            name = targets[number].name
            done[number] = measure_ablation(
                plans[number], _open(targets[number], options), done[number], min_rounds=rounds, show=show(name)
            )
            made = done[number].ablation
            assert made is not None
            say(f"{name}: ablation of {made.num_targets:,} targets, {counted_rounds(made)}")
            rounds = max(rounds, made.num_rounds)


def counted_rounds(ablation: AblationRecord) -> str:
    """How far an ablation went, in words."""
    share = ablation.num_rounds / ablation.max_rounds
    return f"from {share:.0%} of the windows, {ablation.error_in_words}, {ablation.cost:.1f} times the tokens of the score"
