"""What becomes of what a visitor gives, in a process of its own: `python -m hf_ctxscale.app.received_work` reads one task and answers in JSON.

A file made to break its reader can then break no more than this process, which has a login of nobody, little memory and not much time.
"""

import json
import os
import sys
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from hf_ctxscale.study import Study, UserError

MEMORY_BYTES = 6_000_000_000  # of address space; libraries reserve far more than they use
LARGEST_FILE_BYTES = 500_000_000


@dataclass(frozen=True)
class Task:
    """What a visitor has given.

    Attributes:
        kind: a CSV file, a study as a zip file, or the id of a results dataset.
        given: path of the file, or the id.
        name: of the file, for messages.
        folder: an empty one, for the study.
        columns: of a CSV file: what its columns are, as ``N=params,loss=val``.
        revision: of a dataset.
        megabytes: that may be unpacked or fetched.
    """

    kind: Literal["csv", "zip", "hub"]
    given: str
    name: str
    folder: str
    columns: str = ""
    revision: str = ""
    megabytes: int = 0


@dataclass(frozen=True)
class Answer:
    """What became of a task.

    Attributes:
        error: why it cannot be shown; None: the study is in the folder.
        notes: what the visitor should know of it.
        fault: of this program, where there was one: its kind and place, without a word of the visitor's.
    """

    error: str | None = None
    notes: tuple[str, ...] = ()
    fault: str | None = None


def work(task: Task) -> Answer:
    """Does a task; messages name files as the visitor knows them."""
    study = Study(Path(task.folder) / "study")
    incoming = Study(Path(task.folder) / "incoming")
    try:
        if task.kind == "csv":
            return Answer(notes=_open_csv(task, study))
        notes = _bring_in(task, incoming)
        if incoming.table_file.is_file() and not incoming.score_records():
            return Answer(notes=_analyse_csv(incoming.table_file, study, columns=""))
        from hf_ctxscale.app.received_study import take_over

        return Answer(notes=(*notes, *take_over(incoming, study=study)))
    except UserError as error:
        return Answer(error=_without_paths(str(error), task))
    except MemoryError:
        return Answer(error=f"{task.name!r} needs more memory than there is here; show it on your own computer with `hf-ctxscale space`.")
    except Exception as error:  # a record that is right by its form can still be one that no code has met
        place = traceback.extract_tb(error.__traceback__)[-1]
        return Answer(fault=f"{type(error).__name__} in {Path(place.filename).name}, line {place.lineno}")


def _bring_in(task: Task, incoming: Study) -> tuple[str, ...]:
    if task.kind == "zip":
        from hf_ctxscale.app.received_zip import unpack_study

        unpack_study(Path(task.given), folder=incoming.folder, megabytes=task.megabytes, name=task.name)
        return ()
    from hf_ctxscale.app.hub_results import fetch_results

    commit = fetch_results(task.given, revision=task.revision or None, folder=incoming.folder, megabytes=task.megabytes)
    return (f"Fetched at commit {commit[:12]}.",)


def _open_csv(task: Task, study: Study) -> tuple[str, ...]:
    return _analyse_csv(Path(task.given), study, columns=task.columns)


def _analyse_csv(path: Path, study: Study, *, columns: str) -> tuple[str, ...]:
    from hf_ctxscale.analysis.given_columns import parse_columns
    from hf_ctxscale.analysis.given_fits import analyse_table
    from hf_ctxscale.analysis.given_table import take_over_table

    take_over_table(path, study=study, columns=parse_columns(columns) if columns.strip() else None)
    return tuple(analyse_table(study)["notes"])


def _without_paths(sentence: str, task: Task) -> str:
    """The sentence with the visitor's own names in place of this machine's folders."""
    for path, name in (
        (task.given, task.name),
        (f"{task.folder}/incoming/", ""),
        (f"{task.folder}/study/table.csv", task.name),
        (f"{task.folder}/study", task.name),
        (f"{task.folder}/incoming", task.name),
        (task.folder, task.name),
    ):
        sentence = sentence.replace(path, name)
    return sentence


def _limit_this_process() -> None:
    """Memory and file sizes, where the system knows such limits; files that nobody else on the machine can read."""
    os.umask(0o077)
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE_BYTES, LARGEST_FILE_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    _limit_this_process()
    answer = work(Task(**json.loads(sys.stdin.read())))
    sys.stdout.flush()
    os.write(1, ("\n" + json.dumps(asdict(answer))).encode())
