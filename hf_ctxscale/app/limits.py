"""RateLimit: how often one visitor, and all of them together, may ask for something within a minute."""

import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable

import gradio as gr

from hf_ctxscale.study import UserError

WINDOW_SECONDS = 60.0
# As often as one visitor may ask, so many may at once: behind one address (a school, a proxy), and all together.
AT_ONE_ADDRESS, ALL = 5, 20


class RateLimit:
    """Counts what was let in during the last minute, by session, by address and in all; safe for many threads."""

    def __init__(self, per_minute: int, *, what: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Lets everything in that stays within the limit.

        Args:
            per_minute: of one visitor.
            what: is asked for, in the plural, for the message.
            clock: seconds.
        """
        self._per_minute = per_minute
        self._what = what
        self._clock = clock
        self._lock = threading.Lock()
        self._times: defaultdict[str, deque[float]] = defaultdict(deque)

    def check(self, request: gr.Request | None) -> None:
        """Counts one request; of a call from Python, which has none of gradio's, only that it was made.

        Raises:
            UserError: too many requests; this one is not counted.
        """
        limits = {"all": self._per_minute * ALL}
        if request is not None:
            limits |= {
                f"session {request.session_hash}": self._per_minute,
                f"address {_address(request)}": self._per_minute * AT_ONE_ADDRESS,
            }
        with self._lock:
            now = self._clock()
            self._forget(now - WINDOW_SECONDS)
            full = [self._times[name][0] for name, limit in limits.items() if len(self._times.get(name, ())) >= limit]
            if full:
                wait = max(1, round(max(full) + WINDOW_SECONDS - now))
                raise UserError(
                    f"{self._per_minute} {self._what} a minute are allowed, and that many were made; try again in {wait} seconds."
                )
            for name in limits:
                self._times[name].append(now)

    def _forget(self, before: float) -> None:
        """What is over; a visitor with nothing left is no longer known."""
        for name in list(self._times):
            times = self._times[name]
            while times and times[0] <= before:
                times.popleft()
            if not times:
                del self._times[name]


def _address(request: gr.Request) -> str:
    """Of the visitor, as the proxy before the app says, which writes it last; what stands before that, the visitor may have made up."""
    forwarded = request.headers.get("x-forwarded-for", "").split(",")[-1].strip()
    return forwarded or (request.client.host if request.client else "")
