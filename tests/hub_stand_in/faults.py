"""Faults to order: answers with an error in place of the right one, connections that break, and what happens just before an answer."""

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from tests.hub_stand_in.answers import Answer, json_answer

# Where a connection breaks: while the request is being sent; before it is carried out; after that, without an answer; in the middle of the answer.
Cut = Literal["request", "before", "after", "answer"]
MESSAGES = {
    409: "Conflict: another operation is in progress on this repository.",
    412: "A commit has happened since. Please refresh and try again.",
    429: "We had to rate limit you. Please wait and try again.",
    500: "Internal Error - We're working hard to fix this as soon as possible!",
}


@dataclass
class Fault:
    """What goes wrong with the requests whose method and path match ``when``; the first ``skip`` of them are spared, then ``times`` of them fail."""

    when: re.Pattern[str]
    times: float = 1
    skip: int = 0
    status: int | None = None
    message: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: Cut | None = None
    first: Callable[[], object] | None = None  # done when the request has arrived

    def answer(self) -> Answer:
        """The error that is answered in place of the right answer."""
        assert self.status is not None
        said = self.message or MESSAGES.get(self.status, f"Error {self.status}")
        return json_answer({"error": said}, status=self.status, headers={"X-Error-Message": said, **self.headers})


@dataclass
class Faults:
    """The faults that are still to come."""

    ordered: list[Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def next_for(self, method: str, path: str) -> Fault | None:
        """The fault that is due for a request, if there is one; it counts as done."""
        with self._lock:
            for fault in self.ordered:
                if fault.times and fault.when.search(f"{method} {path}"):
                    if fault.skip:
                        fault.skip -= 1
                        continue
                    fault.times -= 1
                    return fault
        return None
