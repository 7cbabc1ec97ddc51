"""YourResults: opens what a visitor gives (a CSV file, a study as a zip file, a results dataset) and forgets it when the visitor goes."""

import json
import shutil
import tempfile
import threading
from collections import Counter, OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from hf_ctxscale.app.limits import RateLimit
from hf_ctxscale.app.opened import MOST_OWN, Library
from hf_ctxscale.app.received import Received, own_prefix, receive, remove_leftovers
from hf_ctxscale.app.received_work import Task
from hf_ctxscale.app.settings import Limits
from hf_ctxscale.study import Study, UserError

LONGEST_NAME = 80  # characters of what a visitor's study is called
LONGEST_REVISION = 100
LARGEST_CSV_MEGABYTES = 2  # some 50,000 rows: more than fits can be made of in the time there is


@dataclass(frozen=True)
class OpenedResults:
    """What the page is told. ``key``: of the library; ``notes``: sentences about the study."""

    key: str
    name: str
    notes: tuple[str, ...]


class YourResults:
    """Each visitor has one study open at most, besides the shipped one."""

    def __init__(self, library: Library, *, limits: Limits) -> None:
        """Removes what a process before this one may have left.

        Args:
            library: takes the studies in.
            limits: of files, requests and visitors.
        """
        self._library = library
        self._limits = limits
        self._rate = RateLimit(limits.uploads_per_minute, what="uploads")
        self._lock = threading.Lock()
        self._by_session: OrderedDict[str, str] = OrderedDict()
        self._working: Counter[str] = Counter()  # by session: what is being read
        self._left: set[str] = set()  # sessions that ended meanwhile
        remove_leftovers()

    def open_csv(self, file: str | None, columns: str, *, request: gr.Request | None) -> OpenedResults:
        """Fits laws to a table.

        Args:
            file: the uploaded file, which is removed.
            columns: what its columns are, as ``N=params,loss=val``; empty: they have names that are known.
            request: of whoever asks.

        Raises:
            UserError: the table cannot be fitted, or a limit is exceeded.
        """
        return self._open_file("csv", file, megabytes=LARGEST_CSV_MEGABYTES, columns=columns, request=request)

    def open_zip(self, file: str | None, *, request: gr.Request | None) -> OpenedResults:
        """Opens a study folder that was packed as a zip file, which is removed.

        Raises:
            UserError: it is no such file, or a limit is exceeded.
        """
        return self._open_file("zip", file, megabytes=self._limits.upload_megabytes, columns="", request=request)

    def open_dataset(self, repo_id: str, revision: str, *, request: gr.Request | None) -> OpenedResults:
        """Opens a results dataset of the Hub.

        Raises:
            UserError: there is none of that id that everybody may read, or a limit is exceeded.
        """
        repo_id, revision = repo_id.strip(), revision.strip()
        if not repo_id or len(repo_id) > LONGEST_NAME * 2:
            raise UserError("no dataset was named; give its id on the Hugging Face Hub, OWNER/NAME.")
        if len(revision) > LONGEST_REVISION:
            raise UserError("that is no revision; give a branch, a tag or a commit, or leave it empty.")
        self._rate.check(request)
        task = Task("hub", repo_id, repo_id, "", revision=revision, megabytes=self._limits.upload_megabytes)
        return self._show(task, request=request)

    def fits_of(self, table: str, columns: str, *, request: gr.Request | None) -> dict[str, Any]:
        """What is fitted to a table that is given as text; nothing is opened or kept.

        Raises:
            UserError: the table cannot be fitted, or a limit is exceeded.
        """
        if not isinstance(table, str) or not isinstance(columns, str):
            raise UserError("table and columns are given as text; write each in quotes.")
        if len(table) > LARGEST_CSV_MEGABYTES * 1e6:
            raise UserError(
                f"the table has {len(table) / 1e6:.1f} million characters; at most {LARGEST_CSV_MEGABYTES} million are fitted here."
            )
        self._rate.check(request)
        with tempfile.TemporaryDirectory(prefix=own_prefix()) as folder:
            path = Path(folder) / "table.csv"
            path.write_text(table, encoding="utf-8", errors="replace")
            received = self._receive(Task("csv", str(path), "the table", "", columns=columns))
        try:
            fits: dict[str, Any] = json.loads(received.study.fits_file.read_text(encoding="utf-8"))
        finally:
            shutil.rmtree(received.study.folder, ignore_errors=True)
        return fits

    def forget(self, request: gr.Request) -> None:
        """Removes what a visitor has opened, and what is still being read for them as soon as it is."""
        session = _session(request)
        with self._lock:
            key = self._by_session.pop(session, None)
            if session in self._working:
                self._left.add(session)
        if key is not None:
            self._library.drop(key)

    def _open_file(self, kind: Any, file: str | None, *, megabytes: int, columns: str, request: gr.Request | None) -> OpenedResults:
        if file is None or not Path(file).is_file():
            raise UserError("no file was chosen, or it was removed already; choose it again.")
        path = Path(file)
        try:
            self._rate.check(request)
            if path.stat().st_size > megabytes * 1e6:
                raise UserError(f"{path.name!r} has {path.stat().st_size / 1e6:.1f} MB; at most {megabytes} MB are read here.")
            task = Task(kind, str(path), path.name, "", columns=columns, megabytes=self._limits.unpacked_megabytes)
            return self._show(task, request=request)
        finally:
            path.unlink(missing_ok=True)

    def _receive(self, task: Task) -> Received:
        return receive(task, seconds=self._limits.upload_seconds)

    def _show(self, task: Task, *, request: gr.Request | None) -> OpenedResults:
        """Receives a study and takes it in, in place of the one that the visitor has open."""
        session, name = _session(request), task.name[:LONGEST_NAME]
        with self._lock:
            self._working[session] += 1
        try:
            received = self._receive(task)
            with self._lock:
                left = session in self._left
            if left:
                shutil.rmtree(received.study.folder, ignore_errors=True)
                raise UserError(f"the page was left while {name!r} was being read, so it was removed; open it again.")
            return OpenedResults(self._take_in(received.study, session=session, name=name), name, received.notes)
        finally:
            with self._lock:
                self._working[session] -= 1
                if not self._working[session]:
                    del self._working[session]
                    self._left.discard(session)

    def _take_in(self, study: Study, *, session: str, name: str) -> str:
        """The study's key; what the visitor had open before is removed."""
        key = self._library.add(study, name=name)
        with self._lock:
            gone = [self._by_session.pop(session, "")]
            self._by_session[session] = key
            while len(self._by_session) > MOST_OWN:
                gone.append(self._by_session.popitem(last=False)[1])
        for old in filter(None, gone):
            self._library.drop(old)
        return key


def _session(request: gr.Request | None) -> str:
    return "" if request is None else str(request.session_hash)
