"""Library: the studies that the page has open: the shipped one, which all visitors share, and visitors' own, which go with their session."""

import secrets
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache, wraps
from typing import Any, ClassVar, Concatenate, ParamSpec, TypeVar

import pyarrow as pa

from hf_ctxscale.columns import POSITIONS_SCHEMA, RUNS_SCHEMA
from hf_ctxscale.files import read_table
from hf_ctxscale.records import RunRecord, ScoreRecord
from hf_ctxscale.reporting.sources import Sources, read_sources
from hf_ctxscale.study import Study, UserError

KEPT_SECONDS = 3600.0  # of a visitor's study that nobody looks at
MOST_OWN = 40  # visitors' studies open at once


@dataclass(frozen=True)
class OpenedStudy:
    """A study with what is read from its files, once.

    Attributes:
        key: what it is opened by.
        name: plain text, to be escaped where it is shown.
        study: its folder.
        own: whether a visitor brought it.
    """

    key: str
    name: str
    study: Study
    own: bool

    @cached_property
    def sources(self) -> Sources:
        """Everything that reports are made from: rows of runs, records, scores, fits."""
        return read_sources(self.study)

    @property
    def fits(self) -> Mapping[str, Any]:
        """results/fits.json; empty where nothing was fitted."""
        return self.sources.fits

    @property
    def records(self) -> Mapping[str, RunRecord]:
        """The records of its runs, by run id."""
        return self.sources.records

    @property
    def scores(self) -> Mapping[str, ScoreRecord]:
        """The records of its scores, by score id."""
        return self.sources.scores

    @property
    def has_runs(self) -> bool:
        """Whether models were trained; numbers from a CSV and scores alone have none."""
        return self.sources.has_runs and not self.sources.is_table

    @cached_property
    def runs(self) -> pa.Table:
        """results/runs.parquet; without rows where the numbers are from elsewhere."""
        return RUNS_SCHEMA.empty_table() if self.sources.is_table else read_table(self.study.results_file("runs"))

    @cached_property
    def positions(self) -> pa.Table:
        """results/positions.parquet; without rows where the numbers are from elsewhere."""
        return POSITIONS_SCHEMA.empty_table() if self.sources.is_table else read_table(self.study.results_file("positions"))


Answer = TypeVar("Answer")
Rest = ParamSpec("Rest")


def kept_if_shipped(
    maxsize: int,
) -> Callable[[Callable[Concatenate[OpenedStudy, Rest], Answer]], Callable[Concatenate[OpenedStudy, Rest], Answer]]:
    """A decorator for functions of a study: their answers about the shipped one are kept, ``maxsize`` of them.

    Those about a visitor's are not, since nothing of it may outlive its session.
    """

    def decorate(answer: Callable[Concatenate[OpenedStudy, Rest], Answer]) -> Callable[Concatenate[OpenedStudy, Rest], Answer]:
        kept: Callable[..., Answer] = lru_cache(maxsize=maxsize)(answer)

        @wraps(answer)
        def answered(opened: OpenedStudy, *args: Rest.args, **kwargs: Rest.kwargs) -> Answer:
            return answer(opened, *args, **kwargs) if opened.own else kept(opened, *args, **kwargs)

        return answered

    return decorate


class Library:
    """The open studies by key, for many visitors at once.

    A visitor's study is removed, with its folder, when it is dropped, when nobody has looked at it for an hour, or, beyond the most that are
    kept, when it is the one that was looked at longest ago.
    """

    SHIPPED: ClassVar[str] = "shipped"

    def __init__(self, shipped: Study, *, name: str, clock: Callable[[], float] = time.monotonic):
        self._shipped = OpenedStudy(self.SHIPPED, name, shipped, own=False)
        self._own: dict[str, OpenedStudy] = {}
        self._last_looked_at: dict[str, float] = {}
        self._lock = threading.Lock()
        self._clock = clock

    def open(self, key: str) -> OpenedStudy:
        """The study of that key.

        Raises:
            UserError: it is no longer open.
        """
        if key == self.SHIPPED:
            return self._shipped
        with self._lock:
            opened = self._own.get(key)
            if opened is not None:
                self._last_looked_at[key] = self._clock()
        self._remove_old()
        if opened is None:
            raise UserError(
                "The study that you opened is no longer here: nothing of it is kept for long. Open it again under Your results."
            )
        return opened

    def add(self, study: Study, *, name: str) -> str:
        """Takes in a visitor's study; from now on its folder is the library's to delete.

        Returns:
            its key, which nobody can guess.
        """
        key = secrets.token_urlsafe(16)
        with self._lock:
            self._own[key] = OpenedStudy(key, name, study, own=True)
            self._last_looked_at[key] = self._clock()
        self._remove_old()
        return key

    def drop(self, key: str) -> None:
        """Closes a visitor's study and deletes its folder; one that is gone already, or the shipped one, is left as it is."""
        with self._lock:
            opened = self._own.pop(key, None)
            self._last_looked_at.pop(key, None)
        if opened is not None:
            shutil.rmtree(opened.study.folder, ignore_errors=True)

    def _remove_old(self) -> None:
        now = self._clock()
        with self._lock:
            latest_first = sorted(self._last_looked_at, key=self._last_looked_at.__getitem__, reverse=True)
            old = [key for key in latest_first if now - self._last_looked_at[key] > KEPT_SECONDS]
        for key in {*old, *latest_first[MOST_OWN:]}:
            self.drop(key)
