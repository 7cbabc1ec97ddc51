"""look: what a repository on the Hub holds now, and whether it holds an upload already."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi, RepoFile
from huggingface_hub.errors import RepositoryNotFoundError
from huggingface_hub.utils.sha import git_hash, sha_fileobj

from hf_ctxscale.study import UserError

KEPT = ".gitattributes"  # the Hub's own: says which files it stores as large ones
MADE_BY_CREATION = frozenset({KEPT, "README.md"})


@dataclass(frozen=True)
class Held:
    """One repository as it is.

    Attributes:
        head: its newest commit.
        files: by path.
        name: its id; another one than asked for where it was renamed.
    """

    head: str
    files: Mapping[str, RepoFile]
    private: bool
    name: str

    def holds(self, files: Mapping[str, Path | bytes]) -> bool:
        """Whether it holds exactly these files, apart from the Hub's own."""
        return set(self.files) - {KEPT} == set(files) - {KEPT} and all(
            path in self.files and _same(self.files[path], content) for path, content in files.items()
        )


def look(api: HfApi, repo_id: str, *, repo_type: str) -> Held | None:
    """What the repository holds; None: there is none, or none that the token may see.

    Raises:
        UserError: it has no commit to build on.
    """
    try:
        info = api.repo_info(repo_id, repo_type=repo_type)
    except RepositoryNotFoundError:
        return None
    if info.sha is None:
        raise UserError(f"{repo_id!r} has no commit at all, not even the Hub's own first one; delete it on the Hub and repeat the command.")
    tree = api.list_repo_tree(repo_id, repo_type=repo_type, recursive=True, revision=info.sha)
    files = {entry.path: entry for entry in tree if isinstance(entry, RepoFile)}
    return Held(head=info.sha, files=files, private=bool(info.private), name=str(info.id))


def is_untouched(api: HfApi, held: Held, *, repo_id: str, repo_type: str) -> bool:
    """Whether it holds nothing but what its creation put there."""
    return set(held.files) <= MADE_BY_CREATION and len(api.list_repo_commits(repo_id, repo_type=repo_type)) <= 1


def size_bytes(content: Path | bytes) -> int:
    """Of a file, or of its content."""
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def _same(remote: RepoFile, content: Path | bytes) -> bool:
    if remote.size != size_bytes(content):
        return False
    if remote.lfs is None:
        return remote.blob_id == git_hash(content if isinstance(content, bytes) else content.read_bytes())
    return remote.lfs.sha256 == _sha256(content)


def _sha256(content: Path | bytes) -> str:
    if isinstance(content, bytes):
        return sha_fileobj(io.BytesIO(content)).hex()
    with content.open("rb") as file:
        return sha_fileobj(file).hex()
