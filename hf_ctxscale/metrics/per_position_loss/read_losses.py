"""read_losses: per-token losses as somebody pastes or uploads them, CSV or JSON, as the metric's arguments.

CSV: a line per block of text, a column per context position; the first column may hold the block's document id, the first line names.
JSON: a list of rows, or an object with the metric's own names: predictions, document_ids, num_bytes.
"""

import csv
import json
import re
from io import StringIO
from pathlib import Path
from typing import Any

from hf_ctxscale.study import UserError

_JSON_NAMES = ("predictions", "document_ids", "num_bytes")


def read_losses_file(path: str | Path) -> dict[str, Any]:
    """What a file holds, as the metric's arguments.

    Raises:
        UserError: it is not text, or not losses.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{Path(path).name} is not a text file in UTF-8; upload losses as CSV or JSON.") from None
    return read_losses(text)


def read_losses(text: str) -> dict[str, Any]:
    """What a text holds, as the metric's arguments; whether they are losses is for the metric to say.

    Raises:
        UserError: the text is neither CSV nor JSON, or what its first line or column means cannot be told.
    """
    text = text.strip()
    if not text:
        raise UserError("there are no losses; paste a line of losses for each block of text, or upload a CSV or JSON file.")
    return _from_json(text) if text[0] in "[{" else _from_csv(text)


def _from_json(text: str) -> dict[str, Any]:
    try:
        given = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise UserError(f"this begins like JSON and is not: {error}. Give a list of rows, or CSV.") from None
    if isinstance(given, list):
        return {"predictions": given}
    unknown = sorted(set(given) - set(_JSON_NAMES))
    if unknown or "predictions" not in given:
        problem = f"has the unknown name {unknown[0]!r}" if unknown else "has no predictions"
        raise UserError(f"the JSON object {problem}; it holds predictions and, where you have them, document_ids and num_bytes.")
    return given


def _from_csv(text: str) -> dict[str, Any]:
    first_line = text.splitlines()[0]
    # Commas last: beside a semicolon, a comma is somebody's decimal point.
    delimiter = next((mark for mark in "\t;" if mark in first_line), ",")
    reader = csv.reader(StringIO(text), delimiter=delimiter)
    try:
        lines = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader if any(cell.strip() for cell in cells)]
    except csv.Error as error:
        raise UserError(f"line {reader.line_num} is not CSV: {error}.") from None
    names = _header(lines[0][1])
    if names:
        lines = lines[1:]
    if not lines:
        raise UserError("there is a header and no line of losses under it; add a line of losses for each block of text.")
    has_ids = bool(names and names[0].lower().startswith("doc")) or _first_column_holds_ids([cells for _, cells in lines])
    losses = [[_loss(cell, line=line, column=n) for n, cell in enumerate(cells, 1) if n > has_ids] for line, cells in lines]
    return {"predictions": losses, "document_ids": [cells[0] for _, cells in lines]} if has_ids else {"predictions": losses}


def _header(cells: list[str]) -> list[str]:
    """The first line where it holds names, else nothing.

    Raises:
        UserError: it counts 1, 2, 3, ... and nothing else, so that it may be a header or a row of losses.
    """
    counts = [str(n) for n in range(1, len(cells) + 1)]
    if len(cells) >= 3 and cells == counts:
        raise UserError(
            f"the first line counts from 1 to {len(cells)}, as a header does: leave it out, or write 1.0 if it really is a row of losses."
        )
    # A digit first: 3,5 is no name but a loss with a decimal comma, and is named as such later.
    is_header = not any(_is_number(cell) or cell[:1].isdigit() for cell in cells) or (len(cells) >= 3 and cells[1:] == counts[:-1])
    return cells if is_header else []


def _first_column_holds_ids(rows: list[list[str]]) -> bool:
    """Whether the first column names documents; numbers may do so too, if a header says it.

    Raises:
        UserError: it holds whole numbers and the others do not, so that it may be ids or losses.
    """
    if not all(_is_number(row[0]) for row in rows):
        return True
    others_are_fractions = any(not _is_whole(cell) for row in rows for cell in row[1:])
    if others_are_fractions and all(_is_whole(row[0]) for row in rows):
        raise UserError(
            "the first column holds whole numbers, the others do not: if these are document ids, begin with a header line whose first name "
            "is document_id; if they are losses, write them as 3.0."
        )
    return False


def _loss(cell: str, *, line: int, column: int) -> float:
    if not _is_number(cell):
        given = f"holds {cell[:40]!r}" if cell else "is empty"
        raise UserError(
            f"line {line}, column {column} {given}; a loss is a number with a decimal point, as 3.25, and every line has one for every position."
        )
    return float(cell)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _is_whole(cell: str) -> bool:
    return re.fullmatch(r"\d+", cell) is not None
