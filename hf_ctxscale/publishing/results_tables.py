"""published_tables: a study's tables as the Hub's viewer and load_dataset read them, one parquet file for each."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hf_ctxscale.analysis.condensed import BINS_KEY
from hf_ctxscale.columns import HISTORY_SCHEMA, ROWS, VALIDATION_CURVES_SCHEMA, meaning
from hf_ctxscale.files import read_table, write_aside
from hf_ctxscale.study import Study

ResultTable = Literal["runs", "curves", "positions", "bytes", "ablation"]  # as the study has them
PUT_TOGETHER = "data"  # folder of the tables that a study keeps run by run
_RUN = pa.field("run_id", pa.string())
_BINS = [pa.field(name, pa.list_(pa.int64())) for name in ("position_from", "position_to")]


@dataclass(frozen=True)
class PublishedTable:
    """One table.

    Attributes:
        path: of its file, from the root of the repository.
    """

    name: str
    path: str
    num_rows: int
    columns: tuple[str, ...]

    @property
    def row(self) -> str:
        """What one of its rows is."""
        return ROWS[self.name]

    @property
    def meanings(self) -> tuple[tuple[str, str], ...]:
        """Its columns, each with what it means; what an older version named otherwise has no words."""
        return tuple((column, _meaning(self.name, column)) for column in self.columns)


def published_tables(study: Study) -> tuple[PublishedTable, ...]:
    """The tables of a study that have rows, those that it keeps run by run put together under data/.

    The others are left out: load_dataset fails on a table without rows.
    """
    paths: list[tuple[str, Path]] = [(name, study.results_file(name)) for name in get_args(ResultTable)]
    together: Iterable[tuple[str, pa.Schema, Iterable[pa.Table]]] = (
        ("history", HISTORY_SCHEMA, _histories(study)),
        ("validation_curves", pa.schema([*VALIDATION_CURVES_SCHEMA, *_BINS]), _validation_curves(study)),
    )
    for name, schema, tables in together:
        path = study.folder / PUT_TOGETHER / f"{name}.parquet"
        _write(path, pa.concat_tables([pa.schema([_RUN, *schema]).empty_table(), *tables]))
        paths.append((name, path))
    found = [(name, path, pq.ParquetFile(path)) for name, path in paths if path.is_file()]
    return tuple(
        PublishedTable(name, path.relative_to(study.folder).as_posix(), file.metadata.num_rows, tuple(file.schema_arrow.names))
        for name, path, file in found
        if file.metadata.num_rows
    )


def _histories(study: Study) -> Iterator[pa.Table]:
    for run in study.run_records():
        if study.history_file(run.run_id).is_file():
            table = read_table(study.history_file(run.run_id))
            yield _with_run(run.run_id, [_column(table, field) for field in HISTORY_SCHEMA], HISTORY_SCHEMA)


def _validation_curves(study: Study) -> Iterator[pa.Table]:
    """With the bins, which a run's own file names in its metadata, as columns."""
    for run in study.run_records():
        if study.validation_curves_file(run.run_id).is_file():
            table = read_table(study.validation_curves_file(run.run_id))
            bins = json.loads(table.schema.metadata[BINS_KEY])
            ends = [pa.array([[window[end] for window in bins]] * len(table), pa.list_(pa.int64())) for end in (0, 1)]
            columns = [*(_column(table, field) for field in VALIDATION_CURVES_SCHEMA), *ends]
            yield _with_run(run.run_id, columns, pa.schema([*VALIDATION_CURVES_SCHEMA, *_BINS]))


def _column(table: pa.Table, field: pa.Field) -> pa.ChunkedArray | pa.Array:
    """A column, all of it empty where an older version did not write it."""
    return pc.cast(table[field.name], field.type) if field.name in table.column_names else pa.nulls(len(table), field.type)


def _with_run(run_id: str, columns: list[Any], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_arrays([pa.array([run_id] * len(columns[0]), pa.string()), *columns], schema=pa.schema([_RUN, *schema]))


def _write(path: Path, table: pa.Table) -> None:
    write_aside(path, lambda aside: pq.write_table(table, aside, compression="zstd"))


def _meaning(table: str, column: str) -> str:
    try:
        return meaning(table, column)
    except KeyError:
        return ""
