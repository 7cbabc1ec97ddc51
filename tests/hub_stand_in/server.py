"""HTTP on a port of this machine: reads requests, answers them, breaks connections where that was ordered, and notes who asked for what."""

import http.server
import re
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.hub_stand_in.answers import Answer
from tests.hub_stand_in.requests_received import Request
from tests.hub_stand_in.routes import VIEWER, answer

if TYPE_CHECKING:
    from tests.hub_stand_in.stand_in import HubStandIn

RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection."""

    hub: "HubStandIn"
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # a whole answer goes out at once
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Answers any method."""
        address = urlsplit(self.path)
        host = address.hostname or (self.headers.get("Host") or "").partition(":")[0]
        self.hub.requests.append((self.command, address.path))
        if address.hostname not in (None, "127.0.0.1", "localhost") and not VIEWER.match(host):
            self._send_elsewhere(host)
            return
        fault = self.hub.faults.next_for(self.command, address.path)
        if fault and fault.cut == "request":
            self.close_connection = True
            return
        request = Request(self.command, host, address.path, address.query, self.headers, self._read_body())
        if fault and fault.first:
            fault.first()
        if fault and fault.cut == "before":
            self.close_connection = True
            return
        if fault and fault.status:
            self._send(fault.answer(), cut=False)
            return
        with self.hub.lock:
            found = answer(self.hub.contents, request)
        if found.status == HTTPStatus.NOT_FOUND and b"The stand-in has no answer" in found.body:
            self.hub.unanswered.append((self.command, address.path))
        if fault and fault.cut == "after":
            self.close_connection = True
            return
        self._send(found, cut=bool(fault and fault.cut == "answer"))

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def do_CONNECT(self) -> None:
        """Somebody takes the stand-in for a proxy, to reach another host."""
        self._send_elsewhere(self.path)

    def _send_elsewhere(self, host: str) -> None:
        self.hub.elsewhere.append(host)
        self.close_connection = True
        self._send(Answer(HTTPStatus.FORBIDDEN, b"Tests go to no other host."), cut=False)

    def _read_body(self) -> bytes:
        if "chunked" not in (self.headers.get("Transfer-Encoding") or ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _send(self, found: Answer, *, cut: bool) -> None:
        found = self._ranged(found)
        self.send_response(found.status)
        for name, value in {**found.headers, "Content-Length": str(len(found.body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if cut:
            self.close_connection = True
        if self.command != "HEAD":
            self.wfile.write(found.body[: len(found.body) // 2] if cut else found.body)

    def _ranged(self, found: Answer) -> Answer:
        """The part that was asked for, where a file is answered and a part of it was asked for."""
        asked = RANGE.fullmatch(self.headers.get("Range") or "")
        if asked is None or found.status != HTTPStatus.OK or "Accept-Ranges" not in found.headers or self.command == "HEAD":
            return found
        size = len(found.body)
        first, last = asked.groups()
        start = int(first) if first else max(0, size - int(last))
        end = min(int(last) + 1, size) if first and last else size
        if start >= size:
            return Answer(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, b"", {"Content-Range": f"bytes */{size}"})
        headers = {**found.headers, "Content-Range": f"bytes {start}-{end - 1}/{size}"}
        return Answer(HTTPStatus.PARTIAL_CONTENT, found.body[start:end], headers)

    def log_message(self, *arguments: object) -> None:
        """Says nothing."""
