"""build_tokens: documents of a corpus to the token streams of a study, once; a second call finds them finished."""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from hf_ctxscale.config import CorpusSettings, TokenizerSettings
from hf_ctxscale.data.documents import SPLITS, Source
from hf_ctxscale.data.near_duplicates import NEAR_DUPLICATE_RULE
from hf_ctxscale.data.selection import Selection, select_documents
from hf_ctxscale.data.sources import corpus_rules, open_source
from hf_ctxscale.data.streams import write_streams
from hf_ctxscale.data.tokenizer import END_OF_TEXT, SAMPLE_BYTES, copy_tokenizer, open_tokenizer, tokenizer_hash, train_tokenizer
from hf_ctxscale.data.tokens import RECORD_NAME, TOKENS_FORMAT, SplitRecord, TokenRecord, read_token_record
from hf_ctxscale.files import write_record
from hf_ctxscale.study import UserError


def build_tokens(
    corpus: CorpusSettings,
    tokenizer: TokenizerSettings,
    *,
    folder: Path,
    show: Callable[[str], None],
    source: Source | None = None,
    tokenizer_identity: str | None = None,
) -> TokenRecord:
    """Makes a study's ``tokens/``: selects documents, trains or copies the tokenizer, and writes the token streams.

    All is written into a folder beside it, which is renamed when it is whole. Memory stays flat: one document, or one batch of 4 MB of
    text, at a time.

    Args:
        corpus: where the text comes from.
        tokenizer: what makes tokens of it.
        folder: the study's ``tokens/``.
        show: is told, in a sentence, what was done or skipped.
        source: of the corpus's documents, where it is open already or is only a part of them.
        tokenizer_identity: of a tokenizer whose folder is a passing one; None: the hash of its files.

    Raises:
        UserError: the corpus or tokenizer cannot be used, or the folder holds the tokens of others.
    """
    source = source or open_source(corpus)
    decided_by = _what_decides(source, corpus=corpus, tokenizer=tokenizer)
    if tokenizer_identity is not None:
        decided_by["tokenizer"] = tokenizer_identity
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.parent / f".{folder.name}.lock"):
            there = read_token_record(folder)
            if there is not None:
                _check_same(there, decided_by=decided_by, source=source, folder=folder)
                show(f"Tokens of {there.corpus} are there already ({there.splits['train'].num_tokens:,} for training); skipped.")
                return there
            _check_free(folder)
            aside = folder.with_name(f".{folder.name}.unfinished")
            shutil.rmtree(aside, ignore_errors=True)  # of a build that was stopped
            aside.mkdir()
            try:
                record = _build(
                    source,
                    corpus=corpus,
                    tokenizer=tokenizer,
                    tokenizer_identity=tokenizer_identity,
                    decided_by=decided_by,
                    folder=aside,
                    show=show,
                )
                shutil.rmtree(folder, ignore_errors=True)
                aside.rename(folder)
            finally:
                shutil.rmtree(aside, ignore_errors=True)
    except (PermissionError, FileExistsError, NotADirectoryError) as error:
        raise UserError(
            f"the tokens cannot be written to {str(folder)!r}: {error.strerror} ({error.filename}); use another --out."
        ) from None
    show(_summary(record))
    return record


def _what_decides(source: Source, *, corpus: CorpusSettings, tokenizer: TokenizerSettings) -> dict[str, Any]:
    """All that the tokens depend on; where the text lies is not among it."""
    return {
        "format": TOKENS_FORMAT,
        "text": source.content_hash,
        "validation_fraction": corpus.validation_fraction,
        "test_fraction": corpus.test_fraction,
        "vocab_size": tokenizer.vocab_size,
        "tokenizer": None if tokenizer.path is None else tokenizer_hash(tokenizer.path),
    }


def _check_same(there: TokenRecord, *, decided_by: dict[str, Any], source: Source, folder: Path) -> None:
    if there.decided_by == decided_by:
        return
    keys = [key for key in decided_by | there.decided_by if decided_by.get(key) != there.decided_by.get(key)]
    raise UserError(
        f"{str(folder)!r} holds tokens of another corpus or tokenizer: "
        f"there {_described(there.corpus, there.decided_by, there.source_versions, keys)}, "
        f"now {_described(source.label, decided_by, source.versions, keys)}. "
        "A study has one corpus and one tokenizer; use another --out."
    )


def _described(label: str, decided_by: dict[str, Any], versions: Mapping[str, str], keys: list[str]) -> str:
    values = [f"{key}={str(decided_by.get(key))[:12]}" for key in keys]
    if "text" in keys:
        values += [f"{key} {value}" for key, value in versions.items()]
    return f"{label!r} with {', '.join(values)}"


def _check_free(folder: Path) -> None:
    """Only what a stopped build or a half copy left may be replaced."""
    if not folder.exists():
        return
    ours = {"tokenizer", "num_bytes_by_id.npy", *(f"{split}.{end}" for split in SPLITS for end in ("tokens.npy", "documents.parquet"))}
    foreign = sorted(file.name for file in folder.iterdir() if file.name not in ours) if folder.is_dir() else [folder.name]
    if foreign:
        raise UserError(
            f"{str(folder)!r} is where the tokens go, but holds {foreign[0]!r}, which is not part of them; "
            "move it away, or use another --out."
        )


def _build(
    source: Source,
    *,
    corpus: CorpusSettings,
    tokenizer: TokenizerSettings,
    tokenizer_identity: str | None,
    decided_by: dict[str, Any],
    folder: Path,
    show: Callable[[str], None],
) -> TokenRecord:
    """Fills an empty folder; the record is the last file."""
    rules = corpus_rules(corpus)
    selection = select_documents(source, settings=corpus, rules=rules)
    tokenizer_folder = folder / "tokenizer"
    if tokenizer.path is not None:
        trained_bytes, end_of_text = None, copy_tokenizer(tokenizer.path, folder=tokenizer_folder)
    else:
        assert tokenizer.vocab_size is not None
        show(f"Training a tokenizer of {tokenizer.vocab_size:,} ids on {source.label}.")
        trained_bytes = train_tokenizer(
            selection.training_texts(), vocab_size=tokenizer.vocab_size, num_bytes=selection.num_bytes["train"], folder=tokenizer_folder
        )
        end_of_text = END_OF_TEXT
    text_tokenizer = open_tokenizer(tokenizer_folder, end_of_text=end_of_text)
    splits = write_streams(selection, tokenizer=text_tokenizer, folder=folder)
    np.save(folder / "num_bytes_by_id.npy", text_tokenizer.num_bytes_by_id)
    record = TokenRecord(
        fingerprint=_fingerprint(decided_by),
        decided_by=decided_by,
        corpus=source.label,
        corpus_settings=corpus.model_dump(mode="json"),
        tokenizer_settings=tokenizer.model_dump(mode="json") if tokenizer_identity is None else {"fingerprint": tokenizer_identity},
        source_files=source.num_files,
        source_versions=dict(source.versions),
        packages={name: version(name) for name in ("datasketch", "tokenizers")},
        split_rule=_split_rule(selection, corpus=corpus),
        splits=splits,
        dropped=asdict(selection.dropped),
        near_duplicate_rule=None
        if rules.near_duplicate_jaccard is None
        else NEAR_DUPLICATE_RULE.format(jaccard=rules.near_duplicate_jaccard),
        near_duplicates=list(selection.near_duplicates),
        vocab_size=text_tokenizer.vocab_size,
        end_of_text=end_of_text,
        end_of_text_id=text_tokenizer.end_of_text_id,
        tokenizer_trained_bytes=trained_bytes,
        bytes_rule=text_tokenizer.bytes_rule,
        notes=[*source.notes, *_notes(splits, trained_bytes=trained_bytes)],
    )
    write_record(folder / RECORD_NAME, record)
    return record


def _fingerprint(decided_by: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(decided_by, sort_keys=True).encode()).hexdigest()


def _split_rule(selection: Selection, *, corpus: CorpusSettings) -> str:
    own = [split for split in SPLITS if split in selection.source.readers]
    if own == ["test"]:
        return "none: the whole corpus is scored"
    if len(own) == len(SPLITS):
        return "the corpus's own splits"
    fractions = f"validation {corpus.validation_fraction:g}, test {corpus.test_fraction:g}"
    if selection.cut:
        rule = f"one document, cut by position at line ends into {', '.join(split for split, _ in selection.cut)} ({fractions})"
    else:
        rule = f"by the SHA-256 of each document's text ({fractions})"
    return rule if own == ["train"] else f"the corpus's own {' and '.join(own)}; what is lacking is taken from its train: {rule}"


def _notes(splits: dict[str, SplitRecord], *, trained_bytes: int | None) -> list[str]:
    notes = [
        f"The {split} split is empty."
        for split in ("validation", "test")
        if splits[split].num_documents == 0 < splits["train"].num_documents
    ]
    if splits["test"].num_documents == 1:
        notes.append("The test split is one document, so that no interval over documents is possible.")
    if trained_bytes is not None and trained_bytes < splits["train"].num_bytes:
        notes.append(
            f"The tokenizer was trained on {trained_bytes:,} bytes (at most {SAMPLE_BYTES:,}), spread evenly over the training text."
        )
    return notes


def _summary(record: TokenRecord) -> str:
    shown = {split: some for split, some in record.splits.items() if some.num_documents or record.splits["train"].num_documents}
    parts = ", ".join(f"{split} {some.num_documents:,} documents with {some.num_tokens:,} tokens" for split, some in shown.items())
    dropped = ", ".join(f"{number:,} {reason.replace('_', ' ')}" for reason, number in record.dropped.items() if number)
    return (
        f"Tokens of {record.corpus}: {parts}."
        + (f" Left out: {dropped}." if dropped else "")
        + "".join(f" {note}" for note in record.notes)
    )
