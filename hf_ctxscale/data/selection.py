"""select_documents: which documents are kept and in which split, decided by their content in one pass over the source."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from hf_ctxscale.config import CorpusSettings
from hf_ctxscale.corpora import Corpus
from hf_ctxscale.data.cuts import Cut, cut_by_position
from hf_ctxscale.data.documents import SPLITS, Document, Source, Split
from hf_ctxscale.data.near_duplicates import NearDuplicates
from hf_ctxscale.study import UserError

# Held-out documents come first, so that of two equal documents it is the one for training that goes.
FIRST_COMES: tuple[Split, ...] = ("test", "validation", "train")
TRAIN = SPLITS.index("train")
DROPPED = len(SPLITS)


@dataclass
class Dropped:
    """Number of documents left out, by reason; ``also_held_out``: documents for training whose text also stands in validation or test."""

    empty: int = 0
    too_short: int = 0
    exact_duplicates: int = 0
    near_duplicates: int = 0
    also_held_out: int = 0


@dataclass(frozen=True)
class Selection:
    """The documents that are kept.

    Attributes:
        split_codes: per reader of the source, one byte per document: its index in SPLITS, or DROPPED.
        num_bytes: of the kept text of each split, UTF-8.
        cut: where a single document is there to take splits from: these splits and the end of each in characters; otherwise empty.
        dropped: counts.
        near_duplicates: what was dropped, and the earlier document that it resembles.
    """

    source: Source
    split_codes: dict[Split, bytes]
    num_bytes: dict[Split, int]
    cut: Cut
    dropped: Dropped
    near_duplicates: tuple[tuple[str, str], ...]

    def documents(self) -> Iterator[tuple[Split, Document]]:
        """The kept documents in the order of the source, each with its split; an id that was there before gets a number."""
        seen: set[str] = set()
        for reader in self.split_codes:
            for split, document in self._kept(reader):
                yield split, _unique(document, seen=seen)

    def training_texts(self) -> Iterator[str]:
        """The texts of the training documents."""
        return (document.text for split, document in self._kept("train") if split == "train")

    def _kept(self, reader: Split) -> Iterator[tuple[Split, Document]]:
        for code, document in zip(self.split_codes[reader], self.source.readers[reader](), strict=True):
            if code == DROPPED:
                continue
            if reader == "train" and self.cut:
                start = 0
                for split, end in self.cut:
                    yield split, Document(f"{document.id}:{split}", document.text[start:end])
                    start = end
            else:
                yield SPLITS[code], document


@dataclass
class _Survey:
    """What one pass over the documents gathers: a digest of every kept text (about 150 bytes each), not the text."""

    rules: Corpus
    dropped: Dropped = field(default_factory=Dropped)
    split_of_text: dict[bytes, Split] = field(default_factory=dict)  # by digest
    near_duplicates: list[tuple[str, str]] = field(default_factory=list)
    num_documents: int = 0
    num_bytes: dict[Split, int] = field(default_factory=lambda: dict.fromkeys(SPLITS, 0))

    def __post_init__(self) -> None:
        jaccard = self.rules.near_duplicate_jaccard
        self._near = None if jaccard is None else NearDuplicates(jaccard=jaccard)

    def keeps(self, document: Document, *, content: bytes, digest: bytes, split: Split) -> bool:
        """Whether a document is long enough and the first of its text; counts it."""
        self.num_documents += 1
        if not document.text.strip():
            self.dropped.empty += 1
        elif len(document.text) < self.rules.min_characters:
            self.dropped.too_short += 1
        elif digest in self.split_of_text:
            if split == "train" and self.split_of_text[digest] != "train":
                self.dropped.also_held_out += 1
            else:
                self.dropped.exact_duplicates += 1
        elif self._near is not None and (other := self._near.first_like(document.text, name=document.id)) is not None:
            self.dropped.near_duplicates += 1
            self.near_duplicates.append((document.id, other))
        else:
            self.split_of_text[digest] = split
            self.num_bytes[split] += len(content)
            return True
        return False


def select_documents(source: Source, *, settings: CorpusSettings, rules: Corpus) -> Selection:
    """Drops empty documents and duplicates, and gives every document its split.

    A split that the source lacks is taken from its training documents by the SHA-256 of their text: which documents are held out depends
    neither on their order nor on each other. Where there is only one document to take from, it is cut by position.

    Raises:
        UserError: there is no document, or none is left to train on.
    """
    survey = _Survey(rules)
    # What is lacking is taken from the training documents, where there are any.
    lacking: tuple[Split, ...] = tuple(split for split in SPLITS if split not in source.readers) if "train" in source.readers else ()
    codes: dict[Split, bytes] = {}
    single: list[Document] = []  # the first two of the kept documents to take splits from: enough to see whether there is one
    for reader in (split for split in FIRST_COMES if split in source.readers):
        reader_codes = bytearray()
        for document in source.readers[reader]():
            content = _encode(document)
            digest = hashlib.sha256(content).digest()
            split = split_of_digest(digest, settings=settings, lacking=lacking) if reader == "train" else reader
            keep = survey.keeps(document, content=content, digest=digest, split=split)
            reader_codes.append(SPLITS.index(split) if keep else DROPPED)
            if keep and reader == "train" and len(single) < 2:
                single.append(document)
        codes[reader] = bytes(reader_codes)
    cut: Cut = ()
    num_bytes = survey.num_bytes
    if len(single) == 1 and lacking:
        cut = cut_by_position(single[0].text, settings=settings, lacking=lacking)
        codes["train"] = bytes(code if code == DROPPED else TRAIN for code in codes["train"])
        starts = (0, *(end for _, end in cut))
        parts = {split: len(_encode(Document("", single[0].text[start:end]))) for start, (split, end) in zip(starts, cut, strict=False)}
        num_bytes = {split: parts.get(split, 0 if split in lacking else survey.num_bytes[split]) for split in SPLITS}
    selection = Selection(
        source=source,
        split_codes={split: codes[split] for split in SPLITS if split in codes},
        num_bytes=num_bytes,
        cut=cut,
        dropped=survey.dropped,
        near_duplicates=tuple(survey.near_duplicates),
    )
    _check_not_empty(selection, num_documents=survey.num_documents, settings=settings)
    return selection


def split_of_digest(digest: bytes, *, settings: CorpusSettings, lacking: tuple[Split, ...]) -> Split:
    """The split that the SHA-256 of a text puts it in: as a fraction it falls into the range of test, of validation, or of neither."""
    fraction = int.from_bytes(digest[:8], "big") / 2**64
    if fraction < settings.test_fraction:
        return "test" if "test" in lacking else "train"
    if fraction < settings.test_fraction + settings.validation_fraction:
        return "validation" if "validation" in lacking else "train"
    return "train"


def _encode(document: Document) -> bytes:
    try:
        return document.text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UserError(
            f"document {document.id!r} holds half a surrogate pair at character {error.start}, which is no text; "
            "mend or leave out that document."
        ) from None


def _unique(document: Document, *, seen: set[str]) -> Document:
    """The document, with an id that tells it from earlier ones: documents are the clusters of every interval."""
    name, number = document.id, 1
    while name in seen:
        number += 1
        name = f"{document.id} ({number})"
    seen.add(name)
    return document if name == document.id else Document(name, document.text)


def _check_not_empty(selection: Selection, *, num_documents: int, settings: CorpusSettings) -> None:
    dropped = selection.dropped
    label = selection.source.label
    num_kept = sum(len(codes) - codes.count(DROPPED) for codes in selection.split_codes.values())
    if num_kept == 0:
        raise UserError(
            f"corpus {label!r} is empty: of its {num_documents} documents {dropped.empty} are empty "
            f"and {dropped.too_short} are shorter than the corpus allows; give a corpus that holds text."
        )
    if selection.num_bytes["train"] == 0 and "train" in selection.source.readers:
        raise UserError(
            f"corpus {label!r} has no training document left: its {num_kept} documents are all held out for validation or test "
            f"(validation_fraction={settings.validation_fraction:g}, test_fraction={settings.test_fraction:g}, by the hash of their text), "
            f"and {dropped.also_held_out} more are copies of these; give more documents, or lower the fractions."
        )
