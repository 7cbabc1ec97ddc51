"""Repositories in memory: files, commits, branches and the objects of Git LFS."""

import fnmatch
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tests.hub_stand_in.git_objects import blob_id, commit_id, lfs_pointer, tree_ids

# What the Hub writes into .gitattributes of a new repository; datasets and Spaces get a few more patterns.
LFS_PATTERNS = (
    *("*.7z", "*.arrow", "*.bin", "*.bz2", "*.ckpt", "*.ftz", "*.gz", "*.h5", "*.joblib", "*.lfs.*", "*.mlmodel", "*.model", "*.msgpack"),
    *("*.npy", "*.npz", "*.onnx", "*.ot", "*.parquet", "*.pb", "*.pickle", "*.pkl", "*.pt", "*.pth", "*.rar", "*.safetensors"),
    *("saved_model/**/*", "*.tar.*", "*.tar", "*.tflite", "*.tgz", "*.wasm", "*.xz", "*.zip", "*.zst", "*tfevents*"),
)
GIT_ATTRIBUTES = "".join(f"{pattern} filter=lfs diff=lfs merge=lfs -text\n" for pattern in LFS_PATTERNS)
SPACE_README = "---\ntitle: {name}\nemoji: 🚀\ncolorFrom: blue\ncolorTo: red\nsdk: {sdk}\napp_file: app.py\npinned: false\n---\n"
# Above this size, in bytes, a file must go through Git LFS.
REGULAR_LIMIT = 10 * 1024 * 1024


@dataclass(frozen=True)
class StoredFile:
    """One file of a commit."""

    content: bytes
    lfs: bool

    @property
    def sha256(self) -> str:
        """The name of its content in Git LFS."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def pointer(self) -> bytes:
        """What git keeps of it, where it is a large file."""
        return lfs_pointer(sha256=self.sha256, size=len(self.content))

    @property
    def blob_id(self) -> str:
        """Its git name: of the pointer, where it is a large file."""
        return blob_id(self.pointer if self.lfs else self.content)


@dataclass(frozen=True)
class Commit:
    """One commit with all of its files."""

    id: str
    files: Mapping[str, StoredFile]
    trees: Mapping[str, str]  # git name of every folder, by path
    title: str
    description: str
    author: str
    when: datetime
    parent: "Commit | None"

    def and_before(self) -> Iterator["Commit"]:
        """This commit and those before it, newest first."""
        commit: Commit | None = self
        while commit is not None:
            yield commit
            commit = commit.parent

    def last_change(self, path: str) -> "Commit":
        """The newest commit that changed a file or a folder."""
        for commit in self.and_before():
            if commit.parent is None or commit.name_of(path) != commit.parent.name_of(path):
                return commit
        return self

    def name_of(self, path: str) -> str | None:
        """The git name of what stands at a path, if anything does."""
        return self.files[path].blob_id if path in self.files else self.trees.get(path)


@dataclass
class Repository:
    """A repository; ``kind`` is model, dataset or space."""

    id: str
    kind: str
    private: bool
    sdk: str | None = None
    gated: bool = False
    branches: dict[str, Commit] = field(default_factory=dict)
    tags: dict[str, Commit] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)  # what was uploaded through Git LFS, by sha256

    @property
    def owner(self) -> str:
        """Its namespace."""
        return self.id.partition("/")[0]

    @property
    def name(self) -> str:
        """Its id without the namespace."""
        return self.id.partition("/")[2]

    def begin(self) -> None:
        """Makes the first commit, as the Hub does for a new repository."""
        files = {".gitattributes": GIT_ATTRIBUTES.encode()}
        if self.kind == "space":
            files["README.md"] = SPACE_README.format(name=self.name, sdk=self.sdk).encode()
        self.add(
            "main", {path: StoredFile(content, lfs=False) for path, content in files.items()}, title="initial commit", author=self.owner
        )

    def commit_at(self, revision: str) -> Commit | None:
        """The commit that a branch, a tag or a full id stands for."""
        named = self.branches.get(revision) or self.tags.get(revision)
        known = (commit for head in self.branches.values() for commit in head.and_before())
        return named or next((commit for commit in known if commit.id == revision), None)

    def add(self, branch: str, files: Mapping[str, StoredFile], *, title: str, author: str, description: str = "") -> Commit:
        """Commits what the repository is to hold from now on."""
        parent = self.branches.get(branch)
        trees = tree_ids({path: file.blob_id for path, file in files.items()})
        when = datetime.now(UTC).replace(microsecond=0)
        parents = [parent.id] if parent else []
        made = commit_id(trees[""], parents=parents, author=author, when=when, message=f"{title}\n\n{description}".strip())
        self.branches[branch] = Commit(made, dict(files), trees, title, description, author, when, parent)
        return self.branches[branch]

    def goes_through_lfs(self, path: str, *, size: int, sample: bytes, branch: str) -> bool:
        """Whether a file must be uploaded through Git LFS: a pattern of .gitattributes says so, it is large, or it is no text.

        Args:
            size: Bytes of the whole file.
            sample: Its first bytes.
        """
        attributes = self.branches[branch].files.get(".gitattributes")
        lines = attributes.content.decode().splitlines() if attributes else []
        patterns = [line.split()[0] for line in lines if "filter=lfs" in line]
        name = path.rpartition("/")[2]
        named = any(fnmatch.fnmatch(path if "/" in pattern else name, pattern.replace("**/", "")) for pattern in patterns)
        return named or size > REGULAR_LIMIT or b"\0" in sample
