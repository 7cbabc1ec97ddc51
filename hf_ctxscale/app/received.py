"""receive: what a visitor gives, as a study in a temporary folder: checked and analysed in a process of its own, within limited time."""

import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from hf_ctxscale.app.received_work import Answer, Task
from hf_ctxscale.study import Study, UserError

PREFIX = "hf-ctxscale-visitor-"  # of temporary folders; the number of the process that they belong to follows
PACKAGE_PARENT = Path(__file__).parents[2]
LOGINS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Received:
    """A study that a visitor has given; whoever holds it removes its folder. ``notes``: what the visitor should know of it."""

    study: Study
    notes: tuple[str, ...]


def receive(task: Task, *, seconds: float) -> Received:
    """Does a task of received_work, but for its folder, which is made here.

    Raises:
        UserError: what was given cannot be shown, with the reason.
    """
    folder = Path(tempfile.mkdtemp(prefix=own_prefix()))
    try:
        answer = _worked(replace(task, folder=str(folder)), seconds=seconds)
        if answer.error is not None:
            raise UserError(answer.error)
        kept = (folder / "study").rename(folder.with_name(f"{folder.name}-study"))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Received(Study(kept), answer.notes)


def own_prefix() -> str:
    """How the names of this process's temporary folders begin."""
    return f"{PREFIX}{os.getpid()}-"


def remove_leftovers() -> None:
    """Removes folders that a process has left which is no more: called when the app starts."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        number = folder.name.removeprefix(PREFIX).split("-")[0]
        if number.isdigit() and not _is_alive(int(number)):
            shutil.rmtree(folder, ignore_errors=True)


def _is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        return True
    return True


def _worked(task: Task, *, seconds: float) -> Answer:
    """The answer of a process of its own, a fault of which is logged: never what it printed, which may quote what the visitor gave."""
    answer = _answer_of(task, seconds=seconds)
    if answer.fault is not None:
        logger.error("reading what a visitor gave failed: %s", answer.fault)
        raise UserError(f"{task.name!r} cannot be read: it is damaged, or needs more memory than there is here.")
    return answer


def _answer_of(task: Task, *, seconds: float) -> Answer:
    own = os.environ.get("PYTHONPATH")
    environment = {name: value for name, value in os.environ.items() if name not in LOGINS} | {
        "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([str(PACKAGE_PARENT), *([own] if own else [])]),
    }
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "hf_ctxscale.app.received_work"],
            input=json.dumps(asdict(task)),
            capture_output=True,
            text=True,
            timeout=seconds,
            env=environment,
            cwd=task.folder,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UserError(
            f"{task.name!r} took longer than {seconds:g} seconds; show it on your own computer with `hf-ctxscale space`, or give a smaller one."
        ) from None
    try:
        content = json.loads(done.stdout.rsplit("\n", 1)[-1])
        return Answer(content["error"], tuple(content["notes"]), content["fault"])
    except (ValueError, TypeError, KeyError):
        return Answer(fault=f"exit code {done.returncode}")
