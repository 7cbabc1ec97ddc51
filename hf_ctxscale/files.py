"""Writing a study's files so that no reader ever meets half of one, and reading its tables."""

import json
import math
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel

from hf_ctxscale.study import UserError


def write_aside(path: Path, write: Callable[[Path], Any]) -> None:
    """Lets ``write`` fill a temporary file beside ``path``, then renames it: a reader sees the old file or the new, never half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    os.close(handle)
    aside = Path(name)
    try:
        write(aside)
        aside.chmod(0o644)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Writes a text file aside, then renames it."""
    write_aside(path, lambda aside: aside.write_text(text, encoding="utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Writes JSON aside, then renames it; a NaN or infinity becomes null, since JSON has neither."""
    write_text(path, json.dumps(_without_nan(value), indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def write_record(path: Path, record: BaseModel) -> None:
    """Writes a record as JSON aside, then renames it."""
    write_json(path, record.model_dump())


def write_table(path: Path, rows: list[dict[str, Any]], schema: pa.Schema) -> None:
    """Writes rows as parquet aside, then renames it; a column that a row lacks is null, one that the schema lacks is an error."""
    unknown = {key for row in rows for key in row} - set(schema.names)
    if unknown:
        raise AssertionError(f"columns {sorted(unknown)} are not in the schema of {path.name}")
    write_aside(path, lambda aside: pq.write_table(pa.Table.from_pylist(_without_nan(rows), schema=schema), aside))


def read_table(path: Path) -> pa.Table:
    """Reads one of the study's parquet tables."""
    if not path.is_file():
        raise UserError(f"{path} does not exist; the command `hf-ctxscale run CONFIG --out STUDY` writes it.")
    # Not pq.read_table, which imports pandas where it finds it.
    return pq.ParquetFile(path).read()


def _without_nan(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(item) for item in value]
    return value
