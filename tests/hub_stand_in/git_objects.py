"""The names that git gives to files, folders and commits: sha1 over their content, as the Hub reports them."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime

FILE_MODE, FOLDER_MODE = "100644", "40000"


def blob_id(content: bytes) -> str:
    """The git name of a file's content."""
    return _object_id("blob", content)


def lfs_pointer(*, sha256: str, size: int) -> bytes:
    """What git keeps in place of a large file (git-lfs, specification of the pointer file)."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()


def tree_ids(blobs: Mapping[str, str]) -> dict[str, str]:
    """The git name of every folder, by its path; the root's path is empty.

    Args:
        blobs: The git name of every file, by its path.
    """
    entries: dict[str, dict[str, tuple[str, str]]] = {"": {}}
    for path, blob in blobs.items():
        folder, _, name = path.rpartition("/")
        entries.setdefault(folder, {})[name] = (FILE_MODE, blob)
        while folder:
            folder = folder.rpartition("/")[0]
            entries.setdefault(folder, {})
    found: dict[str, str] = {}
    for folder in sorted(entries, key=lambda path: path.count("/") + bool(path), reverse=True):
        lines = sorted(entries[folder].items(), key=lambda entry: entry[0] + "/" * (entry[1][0] == FOLDER_MODE))
        content = b"".join(f"{mode} {name}".encode() + b"\0" + bytes.fromhex(object_id) for name, (mode, object_id) in lines)
        found[folder] = _object_id("tree", content)
        if folder:
            parent, _, name = folder.rpartition("/")
            entries[parent][name] = (FOLDER_MODE, found[folder])
    return found


def commit_id(tree: str, *, parents: Sequence[str], author: str, when: datetime, message: str) -> str:
    """The git name of a commit."""
    signature = f"{author} <{author}@users.noreply.hf.co> {int(when.timestamp())} +0000"
    lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents), f"author {signature}", f"committer {signature}", "", message, ""]
    return _object_id("commit", "\n".join(lines).encode())


def _object_id(kind: str, content: bytes) -> str:
    return hashlib.sha1(f"{kind} {len(content)}\0".encode() + content).hexdigest()
