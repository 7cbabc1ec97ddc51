"""What the stand-in answers: a status, headers and a body; and the Hub's own words for every refusal."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Answer:
    """One HTTP answer; its length is added when it is sent."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class Refused(Exception):
    """An error in place of an answer.

    Args:
        code: The Hub's name of the error, for X-Error-Code, where it has one.
        message: The Hub's sentence.
        details: More of the body.
    """

    def __init__(self, status: int, message: str, *, code: str = "", details: Mapping[str, object] | None = None, commit: str = ""):
        super().__init__(message)
        headers = {"X-Error-Message": message, "X-Error-Code": code, "X-Repo-Commit": commit}
        said = {name: value for name, value in headers.items() if value}
        self.answer = json_answer({"error": message, **(details or {})}, status=status, headers=said)


def json_answer(content: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer in JSON."""
    return Answer(status, json.dumps(content).encode(), {"Content-Type": "application/json; charset=utf-8", **(headers or {})})


def repository_not_found(*, known_user: bool) -> Refused:
    """For a repository that is not there, or that is not for the one who asks: the Hub makes no difference."""
    return Refused(404 if known_user else 401, "Repository not found", code="RepoNotFound")


def revision_not_found(revision: str) -> Refused:
    """For a branch, tag or commit that is not there."""
    return Refused(404, f"Invalid rev id: {revision}", code="RevisionNotFound")


def entry_not_found(path: str, *, commit: str) -> Refused:
    """For a file or folder that is not there."""
    return Refused(404, f"Entry not found: {path}", code="EntryNotFound", commit=commit)


def no_such_address(path: str) -> Refused:
    """For an address that the stand-in does not know; the Hub may know it."""
    return Refused(404, f"The stand-in has no answer for {path}")
