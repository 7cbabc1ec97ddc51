"""take_over: a study from outside as a study of our own: every record checked, every table written anew, all results computed here.

What the page opens later was thus written by this program; of what came in, nothing is left but numbers and text of the kinds expected.
"""

from collections.abc import Collection
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import BaseModel, ValidationError

from hf_ctxscale.analysis.comparisons import write_comparisons
from hf_ctxscale.analysis.condensed import BINS_KEY, CURVE_KEY, binned_losses_file
from hf_ctxscale.analysis.results import analyse_study, build_results
from hf_ctxscale.architectures import TABLE
from hf_ctxscale.columns import HISTORY_SCHEMA, LOSSES_SCHEMA, VALIDATION_CURVES_SCHEMA
from hf_ctxscale.config import load_settings
from hf_ctxscale.data.tokens import RECORD_NAME, TokenRecord
from hf_ctxscale.files import write_aside, write_record
from hf_ctxscale.records import RunRecord, ScoreRecord
from hf_ctxscale.study import Study, UserError
from hf_ctxscale.sweep.open_study import save_settings

MOST_ROWS = 1_000_000  # of a table
MOST_VALUES = 10_000_000  # of a column, lists counted out
LONGEST_DOCUMENT_NAME = 1_000  # characters
LARGEST_TABLE_BYTES, LARGEST_STUDY_BYTES = 64_000_000, 256_000_000  # in memory: what the page will hold
LARGEST_RECORD_BYTES = 5_000_000
SMALLER = "give a smaller copy, which `hf-ctxscale condense STUDY --out FOLDER` makes"
MOST_COMPARED = 12  # scores that are set against each other, two at a time

Kept = TypeVar("Kept", bound=BaseModel)


def take_over(incoming: Study, *, study: Study) -> tuple[str, ...]:
    """Checks what a visitor has given and writes what is kept of it, then computes tables, fits and claims.

    Args:
        incoming: its files, under the names of a study's and no others.
        study: an empty folder.

    Returns:
        what was left out, in sentences.

    Raises:
        UserError: a file is not what its name says, or there is nothing to show.
    """
    notes = [*_take_settings(incoming, study), *_take_corpus(incoming, study)]
    num_bytes = 0
    for folder, take in ((incoming.runs, _take_run), (incoming.scores, _take_score)):
        for path in sorted(folder.glob("*/*.json")):
            num_bytes += take(incoming, study, path)
            if num_bytes > LARGEST_STUDY_BYTES:
                raise UserError(f"the tables take more than {_megabytes(LARGEST_STUDY_BYTES)} of memory; {SMALLER}.")
    build_results(study)
    scores = study.score_records()
    if not study.begun:
        if len(scores) <= MOST_COMPARED:
            write_comparisons(study, [score.score_id for score in scores])
        return (*notes, "The study holds scores of models alone: without trained runs there are no fits and claims.")
    analyse_study(study)
    return tuple(notes)


def _take_settings(incoming: Study, study: Study) -> list[str]:
    if not incoming.config_file.is_file():
        return []
    try:
        save_settings(study, load_settings(incoming.config_file))
    except UserError:
        return ["study.yaml was left out: this version does not read it."]
    return []


def _take_corpus(incoming: Study, study: Study) -> list[str]:
    path = incoming.tokens / RECORD_NAME
    if not path.is_file():
        return []
    try:
        write_record(study.tokens / RECORD_NAME, _record(path, TokenRecord))
    except UserError:
        return [f"tokens/{RECORD_NAME} was left out: this version does not read it."]
    return []


def _take_run(incoming: Study, study: Study, path: Path) -> int:
    """Bytes of a run's tables."""
    run, run_id = _record(path, RunRecord), path.parent.name
    if run.run_id != run_id:
        raise UserError(f"{path} is the record of {run.run_id!r}, not of its own folder; put each record where it was written.")
    if run.architecture not in TABLE:
        raise UserError(f"{path} names the architecture {run.architecture!r}; known here: {', '.join(TABLE)}.")
    write_record(study.run_file(run_id), run)
    curves, kept_curves = incoming.validation_curves_file(run_id), study.validation_curves_file(run_id)
    return _take_table(incoming.history_file(run_id), study.history_file(run_id), HISTORY_SCHEMA) + _take_table(
        curves, kept_curves, VALIDATION_CURVES_SCHEMA, keys=(BINS_KEY,)
    )


def _take_score(incoming: Study, study: Study, path: Path) -> int:
    """Bytes of a score's tables."""
    score, score_id = _record(path, ScoreRecord), path.parent.name
    if score.score_id != score_id:
        raise UserError(f"{path} is the record of {score.score_id!r}, not of its own folder; put each record where it was written.")
    write_record(study.score_file(score_id), score)
    files = (Study.losses_file, Study.byte_losses_file, Study.ablation_file)
    num_bytes = sum(_take_table(file(incoming, score_id), file(study, score_id), LOSSES_SCHEMA) for file in files)
    binned, kept_binned = (binned_losses_file(where, score_id) for where in (incoming, study))
    return num_bytes + _take_table(binned, kept_binned, LOSSES_SCHEMA, keys=(BINS_KEY, CURVE_KEY))


def _record(path: Path, kind: type[Kept]) -> Kept:
    if path.stat().st_size > LARGEST_RECORD_BYTES:
        raise UserError(f"{path} has {path.stat().st_size / 1e6:,.0f} MB; a record has at most {LARGEST_RECORD_BYTES / 1e6:g} MB.")
    try:
        return kind.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UserError(f"{path} is no record that this version reads ({where + ': ' if where else ''}{first['msg']}).") from None


def _take_table(given: Path, target: Path, schema: pa.Schema, *, keys: Collection[bytes] = ()) -> int:
    """Writes a table anew, where there is one; the bytes that it takes in memory.

    Args:
        given: the file that came in.
        target: where it goes.
        schema: the columns that are kept.
        keys: of the file's metadata, what is kept.
    """
    if not given.is_file():
        return 0
    try:
        with pq.ParquetFile(given) as file:
            _check_size(file, given)
            missing = [name for name in schema.names if name not in file.schema_arrow.names]
            if missing:
                raise UserError(f"{given} has no column {missing[0]!r}; expected are {', '.join(schema.names)}.")
            metadata = {key: value for key, value in (file.schema_arrow.metadata or {}).items() if key in keys}
            table = file.read(columns=schema.names).select(schema.names).cast(schema).replace_schema_metadata(metadata or None)
    except (pa.ArrowException, OSError) as error:
        first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{given} is not such a table in the Parquet format ({first_line}).") from None
    if "document" in schema.names and (pc.max(pc.utf8_length(table["document"])).as_py() or 0) > LONGEST_DOCUMENT_NAME:
        raise UserError(f"{given} names a document with more than {LONGEST_DOCUMENT_NAME:,} characters; give it a shorter name.")
    if table.nbytes > LARGEST_TABLE_BYTES:
        raise UserError(f"{given} takes {_megabytes(table.nbytes)} of memory, more than {_megabytes(LARGEST_TABLE_BYTES)}; {SMALLER}.")
    write_aside(target, lambda aside: pq.write_table(table, aside, compression="zstd"))
    return int(table.nbytes)


def _megabytes(num_bytes: int) -> str:
    return f"{num_bytes / 1e6:,.0f} MB"


def _check_size(file: pq.ParquetFile, path: Path) -> None:
    """Refuses, before anything is read, what would fill the memory: a few bytes can stand for a billion rows."""
    metadata = file.metadata
    groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
    values = [sum(group.column(column).num_values for group in groups) for column in range(metadata.num_columns)]
    if metadata.num_rows > MOST_ROWS or max(values, default=0) > MOST_VALUES:
        raise UserError(
            f"{path} has {metadata.num_rows:,} rows and up to {max(values, default=0):,} values in a column; at most {MOST_ROWS:,} and "
            f"{MOST_VALUES:,} are read here."
        )
