"""GivenTable: numbers from elsewhere, a CSV of (N, loss), (N, D, loss) or (position, loss), read and checked row by row."""

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv

from hf_ctxscale.analysis.given_columns import NAMES, find_columns, stands_for
from hf_ctxscale.files import write_text
from hf_ctxscale.study import Study, UserError

Kind = Literal["size", "size and data", "position"]
MISSING = ("", "nan", "na", "n/a", "null", "none", "-")
ALL_ROWS = "all rows"  # the series of a table that names none
FIRST_LINE_BYTES = 65_536
# What a file of another kind begins with.
OTHER_KINDS = {
    b"PK\x03\x04": "a spreadsheet (xlsx or the like)",
    b"\xd0\xcf\x11\xe0": "a spreadsheet (xls)",
    b"\xff\xfe": "text in UTF-16",
    b"\xfe\xff": "text in UTF-16",
    b"PAR1": "a Parquet file",
}
SHOWN = 8  # gaps among positions that a note lists


@dataclass(frozen=True)
class GivenTable:
    """The rows of a table that can be fitted.

    Attributes:
        numbers: of N, D, position, loss, std_error and seed, those that the table has: each (P,) float64.
        series_P: the line of a chart that each row belongs to.
        notes: what was left out, and what was made of the rest.
    """

    numbers: Mapping[str, np.ndarray]
    series_P: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def kind(self) -> Kind:
        """What the loss is a function of."""
        if "position" in self.numbers:
            return "position"
        return "size and data" if "D" in self.numbers else "size"

    @property
    def by_series(self) -> dict[str, "GivenTable"]:
        """Series -> its rows; the notes stay with the whole."""
        names_P = np.array(self.series_P, dtype=object)
        return {name: replace(self.rows(names_P == name), notes=()) for name in dict.fromkeys(self.series_P)}

    def rows(self, chosen_P: np.ndarray) -> "GivenTable":
        """Some of the rows, where the mask is true."""
        numbers = {name: values_P[chosen_P] for name, values_P in self.numbers.items()}
        return replace(self, numbers=numbers, series_P=tuple(np.array(self.series_P, dtype=object)[chosen_P]))


def read_given_table(path: Path, *, columns: Mapping[str, str] | None = None) -> GivenTable:
    """Reads a CSV file and checks every number.

    Rows without a number where one is needed are left out and counted in a note. Rows of one series at the same size, or at the same
    position, are repeated measurements.

    Args:
        columns: name here (of given_columns.NAMES) -> name in the table, where it is called otherwise.

    Raises:
        UserError: it is no CSV file with such columns, a value is no number or impossible, or fewer than two rows remain.
    """
    cells = _read_cells(path)
    own = find_columns(cells.column_names, columns=columns or {}, path=path)
    numbers = {name: _numbers(cells[own[name]], column=own[name], path=path) for name in NAMES if name in own and name != "series"}
    for name, values_P in numbers.items():
        _check_possible(values_P, name=name, column=own[name], path=path)
    series = [(cell or "").strip() or ALL_ROWS for cell in cells[own["series"]].to_pylist()] if "series" in own else [ALL_ROWS] * len(cells)
    whole_P = np.all([np.isfinite(values_P) for name, values_P in numbers.items() if name != "seed"], axis=0)
    num_whole = int(whole_P.sum())
    if num_whole < 2:
        whole = "one row" if num_whole else "no row"
        raise UserError(f"{path} has {whole} with all its numbers (of {len(whole_P)} in all); a fit needs 2 at the very least.")
    table = GivenTable(numbers, tuple(series)).rows(whole_P)
    notes = []
    if num_whole < len(whole_P):
        notes.append(f"Left out: {len(whole_P) - num_whole} of {len(whole_P)} rows of the table, where a number is missing or not finite.")
    unused = [column for column in cells.column_names if column not in own.values()]
    if unused:
        notes.append(f"Columns of the table that were not used: {', '.join(unused)}.")
    return replace(table, notes=(*notes, *_notes_on_rows(table)))


def take_over_table(path: Path, *, study: Study, columns: Mapping[str, str] | None = None) -> None:
    """Copies a table into the study's folder, with the names that its columns have here, so that it can be analysed again from there.

    Raises:
        UserError: as for `read_given_table`; nothing is written then.
    """
    read_given_table(path, columns=columns)
    cells = _read_cells(path)
    own = {given: name for name, given in find_columns(cells.column_names, columns=columns or {}, path=path).items()}
    # A column that is not used keeps its name unless that would stand for something else.
    names = [own.get(given, f"{given} (not used)" if stands_for(given) else given) for given in cells.column_names]
    copy = io.StringIO()
    writer = csv.writer(copy, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(zip(*(column.to_pylist() for column in cells.columns), strict=True))
    write_text(study.table_file, copy.getvalue())


def _read_cells(path: Path) -> pa.Table:
    """Every cell as text, so that a message can show what was given."""
    if not path.is_file():
        raise UserError(f"there is no file {path}; give a CSV file or a study folder.")
    _check_text(path)
    try:
        with arrow_csv.open_csv(path) as opened:
            names = opened.schema.names
        cells = arrow_csv.read_csv(path, convert_options=arrow_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())))
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text; save it as CSV in UTF-8.") from None
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        raise UserError(
            f"{path} is not a table of comma-separated values with one line of names ({str(error).splitlines()[0]}); "
            "separate the columns by commas, and write numbers with a decimal point."
        ) from None
    if len(set(names)) < len(names):
        raise UserError(f"two columns of {path} have one name ({', '.join(names)}); name each otherwise.")
    return cells


def _check_text(path: Path) -> None:
    """Refuses what is often taken for a CSV file; a reader's own message would be about its bytes."""
    with path.open("rb") as file:
        first_line = file.readline(FIRST_LINE_BYTES)
    if not first_line:
        raise UserError(f"{path} is empty, and not a table of comma-separated values with one line of names.")
    for start, kind in OTHER_KINDS.items():
        if first_line.startswith(start):
            raise UserError(f"{path} is {kind}, and not a table of comma-separated values; save it as CSV in UTF-8.")
    names = first_line.decode("utf-8", errors="replace").strip()
    if "," not in names and any(mark in names for mark in ";\t"):
        raise UserError(f"{path} has one column, {names!r}; separate the columns by commas, and write numbers with a decimal point.")


def _numbers(cells: pa.ChunkedArray, *, column: str, path: Path) -> np.ndarray:
    values = []
    for row, cell in enumerate(cells.to_pylist(), start=1):
        text = (cell or "").strip()
        try:
            values.append(math.nan if text.lower() in MISSING else float(text))
        except ValueError:
            raise UserError(
                f"{column} is {text!r} in row {row} of {path}, which is no number; write numbers such as 124000000, 1.24e8 or 3.05."
            ) from None
    return np.array(values, dtype=np.float64)


def _check_possible(values_P: np.ndarray, *, name: str, column: str, path: Path) -> None:
    """Refuses what no measurement can be: it would be a mistake of the table, not a bad run."""
    if name == "seed":
        wrong_P, allowed = np.isfinite(values_P) & (values_P != np.round(values_P)), "a whole number"
    elif name == "position":
        wrong_P = np.isfinite(values_P) & ((values_P != np.round(values_P)) | (values_P < 1))
        allowed = "a whole number, 1 for the prediction made after seeing one token"
    else:
        wrong_P, allowed = np.isfinite(values_P) & (values_P <= 0), "a number above 0"
    if wrong_P.any():
        row = int(np.flatnonzero(wrong_P)[0])
        raise UserError(f"{column} is {values_P[row]:g} in row {row + 1} of {path}; it has to be {allowed}.")


def _notes_on_rows(table: GivenTable) -> list[str]:
    """Repeated measurements and missing positions, in words."""
    notes = []
    keys = [name for name in ("N", "D", "position") if name in table.numbers]
    num_cells = sum(len(np.unique(np.stack([part.numbers[key] for key in keys]), axis=1).T) for part in table.by_series.values())
    if num_cells < len(table.series_P):
        what = "position" if table.kind == "position" else "setting"
        of = f"one {what}" if num_cells == 1 else f"{num_cells} different {what}s"
        notes.append(f"{len(table.series_P)} rows are of {of}: rows of the same are repeated measurements, and each weighs the same.")
    num_copies = len(table.series_P) - len(
        set(zip(table.series_P, *(values_P.tolist() for values_P in table.numbers.values()), strict=True))
    )
    if num_copies:
        notes.append(
            f"{num_copies} {'row repeats another' if num_copies == 1 else 'rows repeat others'} in every number: leave out what are mere copies, "
            "since each counts as a measurement of its own and makes intervals narrower."
        )
    if table.kind == "position":
        for name, part in table.by_series.items():
            notes += _missing_positions(part.numbers["position"], of="" if name == ALL_ROWS else f" of {name}")
    return notes


def _missing_positions(position_P: np.ndarray, *, of: str) -> list[str]:
    known = np.unique(position_P).astype(int).tolist()
    gaps = [(before + 1, after - 1) for before, after in pairwise([0, *known]) if after > before + 1]
    if not gaps:
        return []
    num_missing = known[-1] - len(known)
    which = ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in gaps[:SHOWN])
    more = "" if len(gaps) <= SHOWN else f" and {len(gaps) - SHOWN} more gaps"
    return [f"{num_missing:,} of the positions 1-{known[-1]:,}{of} are not in the table ({which}{more}); the fit rests on the others."]
