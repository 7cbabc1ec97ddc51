"""last_published, remember_published: which commit was last pushed from here, so that a change by somebody else is noticed."""

import json
from pathlib import Path
from typing import Any

from huggingface_hub import constants
from huggingface_hub.utils import WeakFileLock

from hf_ctxscale.files import write_json

Commits = dict[str, dict[str, dict[str, str]]]  # endpoint -> type -> id -> commit


def published_file() -> Path:
    """One JSON file for all that was pushed from here; it lies beside the Hub's token and holds none."""
    return Path(constants.HF_HOME) / "hf-ctxscale" / "published.json"


def last_published(repo_id: str, *, repo_type: str, endpoint: str) -> str | None:
    """The commit that was last pushed from here; None: nothing is known."""
    return _read(published_file()).get(endpoint, {}).get(repo_type, {}).get(repo_id)


def remember_published(repo_id: str, *, repo_type: str, endpoint: str, commit: str) -> None:
    """Notes a commit as the last one pushed from here.

    Raises:
        OSError: the file cannot be written.
    """
    path = published_file()
    if last_published(repo_id, repo_type=repo_type, endpoint=endpoint) == commit:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    # Two commands at once must not drop each other's line.
    with WeakFileLock(path.with_suffix(".lock")):
        commits = _read(path)
        commits.setdefault(endpoint, {}).setdefault(repo_type, {})[repo_id] = commit
        write_json(path, commits)


def _read(path: Path) -> Commits:
    """What is noted; nothing where the file is missing or broken: then a push asks before it changes what is there."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {
        endpoint: {kind: {name: str(commit) for name, commit in _mapping(ids).items()} for kind, ids in _mapping(types).items()}
        for endpoint, types in _mapping(found).items()
    }


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
