"""The stages of a study in order, each reading and writing the study's named files and skipping what is finished.

Heavy imports stand inside the stages that need them: a reader of results needs no torch.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from hf_ctxscale.cli.stages import console, show, stage
from hf_ctxscale.files import write_record
from hf_ctxscale.records import RunRecord
from hf_ctxscale.study import Study, UserError

if TYPE_CHECKING:
    from hf_ctxscale.config import StudySettings
    from hf_ctxscale.data.tokens import Tokens


def begin(config: str, *, out: Path, workers: int | None) -> tuple[Study, StudySettings, list[float] | None]:
    """Checks config and folder and writes study.yaml; for a new study, also chooses the precision and says how long the training will take.

    Returns:
        The study, its settings with the precision resolved, and the expected seconds of each planned run (None where a study continues).
    """
    from hf_ctxscale.config import find_config, load_settings
    from hf_ctxscale.sweep.open_study import open_study, save_settings

    study, settings = open_study(load_settings(find_config(config)), folder=out)
    seconds = None
    if not study.begun:
        with stage("probe"):
            settings, seconds = _probe(settings, workers=workers)
    save_settings(study, settings)
    return study, settings, seconds


def _probe(settings: StudySettings, *, workers: int | None) -> tuple[StudySettings, list[float]]:
    """Times a few steps of every model; prints what the study will train and how long that takes."""
    from hf_ctxscale.data.tokenizer import expected_vocab_size
    from hf_ctxscale.sweep.estimate import estimate_seconds, makespan_seconds, possible_precisions
    from hf_ctxscale.sweep.launch import num_workers
    from hf_ctxscale.sweep.plan import plan_runs
    from hf_ctxscale.sweep.progress import in_words

    vocab_size = expected_vocab_size(settings.tokenizer)
    precisions = possible_precisions() if settings.precision == "auto" else (settings.precision,)
    records = plan_runs(settings, vocab_size=vocab_size, tokens_fingerprint="not known yet", precision=precisions[0])
    side_by_side = num_workers(workers or settings.workers, num_runs=len(records))
    probed = [record.model_copy(update={"precision": precision}) for precision in precisions for record in records]
    seconds = estimate_seconds(probed, vocab_size=vocab_size, workers=side_by_side)
    by_precision = {precision: seconds[index * len(records) :][: len(records)] for index, precision in enumerate(precisions)}
    precision = min(precisions, key=lambda name: sum(by_precision[name]))
    if settings.precision == "auto":
        show(f"precision: {precision}" + (", the faster one here" if len(precisions) > 1 else ", since this processor has no bfloat16"))
    expected = makespan_seconds(by_precision[precision], workers=side_by_side)
    tokens = sum(record.train_tokens for record in records)
    show(
        f"{len(records)} runs, {tokens / 1e6:.1f} million training tokens, {side_by_side} at a time: "
        f"about {in_words(expected)} of training, and a minute or two for text, scoring and charts"
    )
    return settings.model_copy(update={"precision": precision}), by_precision[precision]


def build_study_tokens(study: Study, settings: StudySettings) -> Tokens:
    """Corpus to token streams, and a check that held-out documents are long enough for the context."""
    from hf_ctxscale.data.build import build_tokens
    from hf_ctxscale.data.documents import SPLITS
    from hf_ctxscale.data.tokens import load_tokens
    from hf_ctxscale.scoring.score_run import held_out_windows

    with stage("tokens"):
        build_tokens(settings.corpus, settings.tokenizer, folder=study.tokens, show=show)
        tokens = load_tokens(study.tokens)
        for split in SPLITS[1:]:
            windows = held_out_windows(tokens, split=split, scoring=settings.scoring, context_tokens=settings.context_tokens)
            show(
                f"{split}: {len(windows)} windows of {windows.num_documents} documents; {windows.num_documents_too_short} documents are too short"
            )
    return tokens


def train_runs(
    study: Study, settings: StudySettings, tokens: Tokens, *, workers: int | None, expected_seconds: list[float] | None
) -> list[RunRecord]:
    """Plans every run, trains what is missing, and returns the records of this config's runs.

    Where no seconds are expected of the runs, their FLOPs stand in: what counts is only which run is longer.
    """
    from hf_ctxscale.sweep.launch import check_workers_free, launch_workers, num_workers
    from hf_ctxscale.sweep.plan import plan_runs

    with stage("train"):
        assert settings.precision != "auto"
        planned = plan_runs(
            settings, vocab_size=tokens.vocab_size, tokens_fingerprint=tokens.record.fingerprint, precision=settings.precision
        )
        for record in planned:
            if not study.run_file(record.run_id).exists():
                write_record(study.run_file(record.run_id), record)
        run_ids = [record.run_id for record in planned]
        missing = [record for record in _records(study, run_ids) if record.state in ("waiting", "training")]
        if len(missing) < len(planned):
            show(f"skipped: {len(planned) - len(missing)} of {len(planned)} runs are there already")
        if missing:
            check_workers_free(study, [record.run_id for record in missing])
            expected = dict(zip(run_ids, expected_seconds or [record.train_flops for record in planned], strict=True))
            longest_first = sorted((record.run_id for record in missing), key=lambda run_id: -expected[run_id])
            wanted = num_workers(workers or settings.workers, num_runs=len(missing))
            launch_workers(study, longest_first, stage="train", workers=wanted, console=console, expected=expected)
        records = _records(study, run_ids)
        for record in records:
            if record.state == "failed":
                show(f"failed: {record.run_id}: {record.reason} (remove {study.run_folder(record.run_id)} to try it again)")
    return records


def score_runs(study: Study, settings: StudySettings, records: list[RunRecord], tokens: Tokens, *, workers: int | None) -> None:
    """Scores every finished run that has no score yet."""
    from hf_ctxscale.corpora import find_corpus
    from hf_ctxscale.scoring.resuming import forget_kept
    from hf_ctxscale.sweep.launch import launch_workers, num_workers

    def score(missing: list[RunRecord]) -> None:
        largest_first = [record.run_id for record in sorted(missing, key=lambda record: -record.flops_per_token)]
        wanted = num_workers(workers or settings.workers, num_runs=len(missing))
        launch_workers(study, largest_first, stage="score", workers=wanted, console=console)

    with stage("score"):
        finished = [record for record in records if record.state == "finished"]
        missing = _without_score(finished, study=study, settings=settings, tokens=tokens)
        if len(missing) < len(finished):
            show(f"skipped: {len(finished) - len(missing)} of {len(finished)} runs are scored already")
        if missing:
            score(missing)
            show(f"scored {len(missing)} runs")
        # Ablations share their targets: those that stopped earlier than the furthest go on.
        behind = _without_score(finished, study=study, settings=settings, tokens=tokens)
        if behind:
            score(behind)
            show(f"took {len(behind)} ablations to {study.ablation_rounds} rounds")
        if finished and settings.corpus.name and find_corpus(settings.corpus.name).source == "synthetic":
            from hf_ctxscale.scoring.best_possible import score_exact_predictor

            score_exact_predictor(study, settings, tokens)
            show("scored the best possible prediction, which is known for this corpus")
        for done in study.score_records():
            forget_kept(study.scores / done.score_id)


def _without_score(records: list[RunRecord], *, study: Study, settings: StudySettings, tokens: Tokens) -> list[RunRecord]:
    """Runs whose score is not there, or whose ablation is wanted and is not there or behind that of another run."""
    from hf_ctxscale.scoring.score_run import has_ablation, plan_run_score

    missing = []
    for record in records:
        score = plan_run_score(record, study=study, scoring=settings.scoring, tokens=tokens).done
        wanted = settings.scoring.ablation and not has_ablation(score, min_rounds=study.ablation_rounds)
        if score is None or wanted:
            missing.append(record)
    return missing


def analyse_results(study: Study) -> None:
    """Scores to tables, fits and claims; a table from elsewhere to fits."""
    from hf_ctxscale.analysis.given_fits import analyse_table
    from hf_ctxscale.analysis.results import analyse_study, build_results
    from hf_ctxscale.cli.words import claims_in_words, laws_in_words, unidentified_in_words

    with stage("analyse"):
        if study.table_file.is_file():
            fits = analyse_table(study)
            lines = laws_in_words(fits)
        else:
            build_results(study)
            if not study.begun:
                show("scores of models alone: the tables are written anew, and there are no fits and claims without trained runs")
                return
            fits = analyse_study(study)
            lines = claims_in_words(fits)
        for line in (*lines, unidentified_in_words(fits), *fits["notes"], str(study.fits_file)):
            show(line)


def draw_results(study: Study, *, style: Literal["modern", "figure7"] = "modern", paper: bool = False) -> None:
    """Results to charts and report.

    Args:
        style: figure7 adds a chart in the form of the paper's figure.
        paper: whether the paper's values stand beside the study's.
    """
    from hf_ctxscale.charts.draw import draw_study
    from hf_ctxscale.reporting.report import write_report

    with stage("draw"):
        for path in draw_study(study, style=style, paper=paper):
            show(str(path))
        report = write_report(study, style=style, paper=paper)
        for path in (report, report.with_suffix(".md")):
            show(str(path))


def open_existing(folder: Path) -> Study:
    """A study that is there, or the folder of a table from elsewhere.

    Raises:
        UserError: the folder holds none, and no scores either.
    """
    study = Study(folder)
    if not (study.config_file.is_file() or study.table_file.is_file() or study.score_records()):
        found = "holds no study (no study.yaml in it)" if folder.exists() else "does not exist"
        raise UserError(
            f"{str(folder)!r} {found}; make one with `hf-ctxscale run demo --out {folder}`. "
            "Numbers from elsewhere are given as a CSV file: `hf-ctxscale analyse TABLE.csv`."
        )
    return study


def _records(study: Study, run_ids: list[str]) -> list[RunRecord]:
    return [RunRecord.model_validate_json(study.run_file(run_id).read_text()) for run_id in run_ids]
