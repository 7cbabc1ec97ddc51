"""launch_workers: several workers side by side on this machine, and a live table until they are done."""

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

from filelock import FileLock, Timeout
from rich.console import Console
from rich.live import Live

from hf_ctxscale.records import RunRecord
from hf_ctxscale.study import StageError, Study, UserError
from hf_ctxscale.sweep.progress import RunProgress, in_words, progress_table, read_progress

SECONDS_BETWEEN_LOOKS = 1.0
WORKER_ENVIRONMENT = {
    **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
    "TOKENIZERS_PARALLELISM": "false",
    # glibc would hand large buffers back to the kernel after a step and fault them in again in the next: a tenth of the time.
    "MALLOC_MMAP_THRESHOLD_": "1000000000",
    "MALLOC_TRIM_THRESHOLD_": "1000000000",
}


def num_cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def num_workers(wanted: int | None, *, num_runs: int) -> int:
    """How many workers to start: what the settings say, else one per core, never more than there are runs."""
    return max(1, min(wanted or num_cores(), num_runs))


def check_workers_free(study: Study, run_ids: list[str]) -> None:
    """Refuses to start where another command is training the same study.

    Raises:
        UserError: a run's lock is held.
    """
    for run_id in run_ids:
        try:
            with FileLock(study.run_folder(run_id) / ".lock", timeout=0):
                pass
        except Timeout:
            raise UserError(
                f"run {run_id} in {str(study.folder)!r} is being trained by another command; wait for it, or stop it first."
            ) from None


def launch_workers(
    study: Study, run_ids: list[str], *, stage: str, workers: int, console: Console, expected: dict[str, float] | None = None
) -> None:
    """Starts workers on the runs, in the order given, and waits for them.

    Args:
        study: whose runs; their records are there.
        run_ids: what is to be done; the longest first keeps all workers busy to the end.
        stage: "train" or "score".
        workers: number of processes, one thread each.
        console: where the table goes; without a terminal, a line per finished run.
        expected: each run's share of the work, in any unit, for the time left.

    Raises:
        StageError: a worker ended with an error.
    """
    environment = {**os.environ, **WORKER_ENVIRONMENT}
    command = [sys.executable, "-m", "hf_ctxscale.sweep.worker", str(study.folder), stage, *run_ids]
    logs = [study.runs / f".{stage}-worker-{number}.log" for number in range(1, workers + 1)]
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for log in logs:
            with log.open("wb") as file:
                processes.append(
                    subprocess.Popen(command, env=environment, stdout=file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
                )
        _watch(study, run_ids, processes=processes, stage=stage, console=console, expected=expected or {})
    except KeyboardInterrupt:
        console.print("interrupted; the same command continues from the last checkpoints.")
        raise
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()
    for process, log in zip(processes, logs, strict=True):
        if process.returncode != 0:
            raise StageError(f"a worker ended with status {process.returncode}; the end of {log}:\n{_tail(log)}")


def _watch(
    study: Study,
    run_ids: list[str],
    *,
    processes: list[subprocess.Popen[bytes]],
    stage: str,
    console: Console,
    expected: dict[str, float],
) -> None:
    """Shows what the workers do until the last of them has ended."""
    started = time.monotonic()
    at_start = read_progress(study, run_ids)
    told: set[str] = {run.record.run_id for run in at_start if run.ended}
    with contextlib.ExitStack() as stack:
        live = stack.enter_context(Live(console=console, refresh_per_second=2)) if stage == "train" and console.is_terminal else None
        running = True
        while running:
            # Looked at before the records, so that the last change is not missed.
            running = any(process.poll() is None for process in processes)
            runs = read_progress(study, run_ids)
            if live is not None:
                live.update(progress_table(runs, caption=_time_left(at_start, runs, expected, elapsed=time.monotonic() - started)))
            elif stage == "train":
                for run in runs:
                    if run.ended and run.record.run_id not in told:
                        told.add(run.record.run_id)
                        left = _time_left(at_start, runs, expected, elapsed=time.monotonic() - started)
                        console.print(
                            f"  {len(told)}/{len(runs)} {_outcome(run.record)}; {left}", highlight=False, markup=False, soft_wrap=True
                        )
            if running:
                time.sleep(SECONDS_BETWEEN_LOOKS)


def _time_left(at_start: list[RunProgress], runs: list[RunProgress], expected: dict[str, float], *, elapsed: float) -> str:
    """What is left, from the work that is not done and the pace since the start."""
    work = [expected.get(run.record.run_id, run.record.train_flops) for run in runs]
    done = sum(share * (now.fraction - before.fraction) for share, now, before in zip(work, runs, at_start, strict=True))
    left = sum(share * (1 - now.fraction) for share, now in zip(work, runs, strict=True))
    if left == 0:
        return f"all done in {in_words(elapsed)}"
    return f"about {in_words(left * elapsed / done)} left" if done > 0 else "starting"


def _outcome(record: RunRecord) -> str:
    if record.state == "failed":
        return f"{record.run_id} failed: {record.reason}"
    assert record.validation_loss_nats is not None
    assert record.train_seconds is not None
    speed = record.train_tokens / record.train_seconds
    return f"{record.run_id} finished: validation loss {record.validation_loss_nats:.3f} nats, {in_words(record.train_seconds)}, {speed:,.0f} tokens/s"


def _tail(log: Path, *, num_lines: int = 15) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-num_lines:])
