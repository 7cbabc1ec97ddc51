"""One request as the stand-in received it."""

import json
from dataclasses import dataclass
from email.message import Message
from functools import cached_property
from urllib.parse import parse_qs


@dataclass(frozen=True)
class Request:
    """A request; ``path`` is still quoted and has no query; ``host`` is the one that was asked for."""

    method: str
    host: str
    path: str
    query: str
    headers: Message
    body: bytes

    @cached_property
    def token(self) -> str | None:
        """The token it carries, if any."""
        scheme, _, token = (self.headers.get("Authorization") or "").partition(" ")
        return token if scheme == "Bearer" else None

    @cached_property
    def json(self) -> dict:
        """Its body in JSON."""
        return json.loads(self.body)

    @cached_property
    def form(self) -> dict[str, list[str]]:
        """Its body, as a form."""
        return parse_qs(self.body.decode())

    def asks_for(self, name: str) -> bool:
        """Whether a switch of the query is on."""
        return parse_qs(self.query).get(name, [""])[-1].lower() in ("true", "1")

    def number(self, name: str, default: int) -> int:
        """A number of the query."""
        return int(parse_qs(self.query).get(name, [default])[-1])
