"""A worker process: takes the next run that nobody holds, trains or scores it, writes its record, goes on.

Started as ``python -m hf_ctxscale.sweep.worker STUDY STAGE RUN_ID...``; state is read from the study's own records and from nowhere else.
"""

import argparse
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

import torch
import transformers
from filelock import FileLock, Timeout

from hf_ctxscale.config import StudySettings, load_settings
from hf_ctxscale.data.tokens import Tokens, load_tokens
from hf_ctxscale.files import write_json, write_record
from hf_ctxscale.records import RunRecord
from hf_ctxscale.scoring.score_run import score_run
from hf_ctxscale.study import Study
from hf_ctxscale.sweep.progress import progress_file
from hf_ctxscale.training.train_run import train_run

SECONDS_BETWEEN_REPORTS = 0.5


def work(study: Study, *, stage: str, run_ids: list[str]) -> None:
    """Trains or scores the runs that are not done and that no other worker holds, one after another.

    The ablations of a study's runs share their targets: each is taken as far as the one that went the furthest so far.
    """
    settings = load_settings(study.config_file)
    tokens = load_tokens(study.tokens)
    for run_id in run_ids:
        try:
            # The operating system lets go of the lock when its holder dies, however it dies.
            with FileLock(study.run_folder(run_id) / ".lock", timeout=0):
                record = RunRecord.model_validate_json(study.run_file(run_id).read_text())
                if stage == "train" and record.state in ("waiting", "training"):
                    _train(record, study=study, settings=settings, tokens=tokens)
                elif stage == "score" and record.state == "finished":
                    _score(record, study=study, settings=settings, tokens=tokens)
        except Timeout:
            continue


def _train(record: RunRecord, *, study: Study, settings: StudySettings, tokens: Tokens) -> None:
    report = _reporter(study, record.run_id)
    try:
        train_run(record, study=study, settings=settings, tokens=tokens, show=report)
    except Exception as error:
        # One run that cannot be trained does not stop the others; the log holds the traceback.
        logging.exception("run %s failed", record.run_id)
        reason = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}"
        write_record(study.run_file(record.run_id), record.model_copy(update={"state": "failed", "reason": reason}))
    progress_file(study, record.run_id).unlink(missing_ok=True)


def _score(record: RunRecord, *, study: Study, settings: StudySettings, tokens: Tokens) -> None:
    score_run(record, study=study, scoring=settings.scoring, tokens=tokens, min_rounds=study.ablation_rounds)


def _reporter(study: Study, run_id: str) -> Callable[[int, dict[str, float]], None]:
    """Writes the latest step, loss and speed to the run's progress file, now and then; leaves when the launcher is gone."""
    launcher = os.getppid()
    latest: dict[str, float | None] = {"loss": None, "tokens_per_second": None}
    last_written = 0.0

    def report(step: int, logs: dict[str, float]) -> None:
        nonlocal last_written
        if os.getppid() != launcher:
            raise SystemExit("the launcher is gone; this run continues from its last checkpoint next time.")
        latest.update({key: logs[key] for key in ("loss", "tokens_per_second") if key in logs})
        if time.monotonic() - last_written > SECONDS_BETWEEN_REPORTS:
            last_written = time.monotonic()
            write_json(progress_file(study, run_id), {"step": step, **latest})

    return report


def main() -> None:
    """Reads the command line of the worker."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", type=Path)
    parser.add_argument("stage", choices=("train", "score"))
    parser.add_argument("run_ids", nargs="+")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    transformers.utils.logging.disable_progress_bar()
    work(Study(arguments.study), stage=arguments.stage, run_ids=arguments.run_ids)


if __name__ == "__main__":
    main()
