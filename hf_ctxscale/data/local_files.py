"""Local text as documents: parquet, JSON lines, a text file, or a folder of any one of these."""

import fnmatch
import hashlib
import json
import re
import tokenize
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from hf_ctxscale.corpora import Corpus
from hf_ctxscale.data.documents import SPLITS, Document, Source, Split
from hf_ctxscale.study import UserError

# A folder is read as the first of these kinds that it holds; a folder with none of them is a folder of text files.
ENDINGS = {"parquet": (".parquet",), "JSON lines": (".jsonl", ".ndjson", ".json"), "text": (".txt",)}
SPLIT_NAME = re.compile(r"(train|training|validation|valid|val|dev|test)(?![a-z])")
SPLIT_OF_NAME: dict[str, Split] = {"training": "train", "valid": "validation", "val": "validation", "dev": "validation"}
ID_COLUMNS = ("id", "title")
ROWS_PER_BATCH = 16


def open_files(path: Path, *, rules: Corpus, text_column: str, label: str) -> Source:
    """The documents of a local file or folder.

    A text file is one document; a folder of text files, one per file in the order of their paths; parquet and JSON lines, one per row.
    A folder whose files are named train*, validation* (valid*, val*, dev*) and test* has these splits.

    Raises:
        UserError: the path is missing or holds no text, or only some of its files are named after splits.
    """
    if not path.exists():
        raise UserError(f"corpus path {str(path)!r} does not exist; give a text, parquet or JSON lines file, or a folder of them.")
    files, kind, notes = _data_files(path, rules=rules)
    folder = path if path.is_dir() else path.parent
    by_split: dict[Split, list[Path]] = {"train": files}
    if path.is_dir() and rules.file_pattern is None:
        by_split = _files_by_split(files, folder=folder)
    readers: dict[str, Callable[..., Iterator[Document]]] = {
        "text": _read_text_file,
        "parquet": partial(_read_parquet, text_column=text_column),
        "JSON lines": partial(_read_json_lines, text_column=text_column),
    }
    return Source(
        label=label,
        readers={split: partial(_read_files, some, folder=folder, read=readers[kind]) for split, some in by_split.items()},
        content_hash=_content_hash(by_split, folder=folder, rules=rules, kind=kind, text_column=text_column),
        num_files=len(files),
        notes=notes,
    )


def _data_files(path: Path, *, rules: Corpus) -> tuple[list[Path], str, tuple[str, ...]]:
    """The files that hold the corpus, in sorted order, what kind they are, and what was left out."""
    if path.is_file():
        return [path], next((kind for kind, endings in ENDINGS.items() if path.suffix.lower() in endings), "text"), ()
    files = [
        file
        for file in path.rglob("*")
        if file.is_file()
        and not any(
            part.startswith(".") or any(fnmatch.fnmatchcase(part, pattern) for pattern in rules.left_out)
            for part in file.relative_to(path).parts
        )
    ]
    files.sort(key=lambda file: file.relative_to(path).as_posix())
    if rules.file_pattern is not None:
        files = [file for file in files if fnmatch.fnmatchcase(file.name, rules.file_pattern)]
        if not files:
            raise UserError(f"folder {str(path)!r} holds no file named {rules.file_pattern}; give a folder that does.")
        return files, "text", ()
    if not files:
        raise UserError(f"folder {str(path)!r} holds no files; give a folder of text, parquet or JSON lines files.")
    for kind, endings in ENDINGS.items():
        chosen = [file for file in files if file.suffix.lower() in endings]
        if chosen:
            num_others = len(files) - len(chosen)
            return chosen, kind, (f"{num_others} files of other kinds were left out.",) if num_others else ()
    return files, "text", ()


def _files_by_split(files: list[Path], *, folder: Path) -> dict[Split, list[Path]]:
    """The folder's own splits, if its files are named after them; otherwise all files under ``train``."""
    by_split: dict[Split, list[Path]] = {}
    others = []
    for file in files:
        parts = file.relative_to(folder).parts
        # train.parquet, train/0001.txt, data/train-00000-of-00002.parquet
        name = parts[1] if parts[0] == "data" and len(parts) == 2 else parts[0]
        found = SPLIT_NAME.match(name.lower())
        if found:
            by_split.setdefault(SPLIT_OF_NAME.get(found[1], found[1]), []).append(file)  # type: ignore[arg-type]
        else:
            others.append(file)
    if "train" not in by_split:
        return {"train": files}
    if others:
        raise UserError(
            f"folder {str(folder)!r} holds {by_split['train'][0].name!r}, which names a split, "
            f"beside {others[0].name!r}, which names none; name every file train*, validation* or test*, or none of them."
        )
    return {split: by_split[split] for split in SPLITS if split in by_split}


def _content_hash(by_split: dict[Split, list[Path]], *, folder: Path, rules: Corpus, kind: str, text_column: str) -> str:
    """Of every file's place, name and bytes, and of the rules that make documents of them; where the folder lies does not matter."""
    column = None if kind == "text" else text_column
    deciding = [rules.file_pattern, rules.left_out, rules.min_characters, rules.near_duplicate_jaccard, kind, column]
    whole = hashlib.sha256(json.dumps(deciding).encode())
    for split, files in by_split.items():
        for file in files:
            try:
                with file.open("rb") as stream:
                    digest = hashlib.file_digest(stream, "sha256").hexdigest()
            except OSError as error:
                raise UserError(
                    f"{str(file)!r} cannot be read ({error.strerror}); give yourself the right to, or leave the file out."
                ) from None
            whole.update(json.dumps([split, file.relative_to(folder).as_posix(), digest]).encode())
    return whole.hexdigest()


def _read_files(files: list[Path], *, folder: Path, read: Callable[..., Iterator[Document]]) -> Iterator[Document]:
    for file in files:
        yield from read(file, name=file.relative_to(folder).as_posix())


def _read_text_file(file: Path, *, name: str) -> Iterator[Document]:
    yield Document(name, _decode(file.read_bytes(), file=file))


def _decode(content: bytes, *, file: Path, first_byte: int = 0) -> str:
    """UTF-8 without a byte order mark, or what a Python file declares; line ends stay as they are."""
    try:
        return content.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except UnicodeDecodeError as error:
        if file.suffix == ".py":
            try:
                return content.decode(tokenize.detect_encoding(iter(content.splitlines(keepends=True)).__next__)[0])
            except (SyntaxError, UnicodeDecodeError):
                pass
        at = first_byte + error.start + (3 if content.startswith(b"\xef\xbb\xbf") else 0)
        raise UserError(
            f"{str(file)!r} is not UTF-8 text: byte {at} (counted from 0) is 0x{content[at - first_byte]:02x}; "
            "convert it, for instance with `iconv -t UTF-8`, or leave the file out."
        ) from None


def _read_parquet(file: Path, *, name: str, text_column: str) -> Iterator[Document]:
    try:
        table = pq.ParquetFile(file)
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{str(file)!r} cannot be read as parquet: {str(error).splitlines()[0]} Give a whole parquet file.") from None
    _check_columns(table.schema_arrow.names, text_column=text_column, file=file)
    id_column = next((column for column in ID_COLUMNS if column in table.schema_arrow.names and column != text_column), None)
    columns = [text_column] if id_column is None else [text_column, id_column]
    row = 0
    for batch in table.iter_batches(batch_size=ROWS_PER_BATCH, columns=columns):
        for values in batch.to_pylist():
            yield _row_document(values, id_column=id_column, text_column=text_column, where=f"{name}:{row}", file=file)
            row += 1


def _read_json_lines(file: Path, *, name: str, text_column: str) -> Iterator[Document]:
    first_byte = 0
    with file.open("rb") as stream:
        for row, line in enumerate(stream):
            if line.strip():
                try:
                    values = json.loads(_decode(line, file=file, first_byte=first_byte))
                except json.JSONDecodeError as error:
                    raise UserError(
                        f"line {row + 1} of {str(file)!r} is not JSON: {error.msg} at column {error.colno}; JSON lines have one object "
                        "in each line (`jq -c '.[]'` makes them of an array)."
                    ) from None
                if not isinstance(values, dict):
                    raise UserError(
                        f"line {row + 1} of {str(file)!r} holds a {type(values).__name__}, but each line has to be an object with a text; "
                        "`jq -c '.[]'` makes JSON lines of an array."
                    )
                _check_columns(list(values), text_column=text_column, file=file, where=f"line {row + 1} of ")
                id_column = next((column for column in ID_COLUMNS if column in values and column != text_column), None)
                yield _row_document(values, id_column=id_column, text_column=text_column, where=f"{name}:{row}", file=file)
            first_byte += len(line)


def _row_document(values: dict[str, Any], *, id_column: str | None, text_column: str, where: str, file: Path) -> Document:
    text = values[text_column]
    if text is None:
        text = ""
    if not isinstance(text, str):
        raise UserError(
            f"column {text_column!r} of {str(file)!r} holds a {type(text).__name__} in row {where.rpartition(':')[2]}, not text; "
            f"choose a text column with 'text_column' (columns: {', '.join(values)})."
        )
    own_id = values[id_column] if id_column is not None else None
    return Document(where if own_id is None or own_id == "" else str(own_id), text)


def _check_columns(columns: list[str], *, text_column: str, file: Path, where: str = "") -> None:
    if text_column not in columns:
        raise UserError(
            f"{where}{str(file)!r} has no column {text_column!r}; its columns are {', '.join(columns)}. Name one with 'text_column'."
        )
