"""Document and Source: one text with its name, and where texts come from, in an order that never changes."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)


@dataclass(frozen=True)
class Document:
    """One text whose tokens belong together.

    Attributes:
        id: its name in tables of results: a file's path, a row's id, or file and row.
    """

    id: str
    text: str


@dataclass(frozen=True)
class Source:
    """Where documents come from; it can be gone through as often as needed and holds one document at a time.

    Attributes:
        label: the corpus's name or path, for people.
        readers: one per split that the source itself has; missing splits are taken from ``train``, or are empty where there is no such reader.
        content_hash: changes when the text or the rules that make documents of it change.
        num_files: None where the source is not files.
        versions: of what the text belongs to, such as Python's.
        notes: what a reader of results should know.
    """

    label: str
    readers: Mapping[Split, Callable[[], Iterator[Document]]]
    content_hash: str
    num_files: int | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def whole(source: Source) -> Source:
    """The same documents with no splits: all of them are there to be scored."""

    def documents() -> Iterator[Document]:
        for reader in source.readers.values():
            yield from reader()

    return replace(source, readers={"test": documents}, content_hash=f"whole {source.content_hash}")
