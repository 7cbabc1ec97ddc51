"""open_table: a CSV table of numbers from elsewhere as a folder of its own, which `analyse` and `draw` then treat as they do a study."""

from pathlib import Path

from hf_ctxscale.study import Study, UserError

ENDING = "-fits"  # of a table's folder


def is_table(path: Path) -> bool:
    """Whether a path is meant as a table: any file, and any name that ends as one."""
    return path.is_file() or (path.suffix.lower() in (".csv", ".tsv", ".txt") and not path.is_dir())


def folder_of(table: Path) -> Path:
    """Where a table's fits and charts go if nothing else is said: beside it, ``runs.csv`` -> ``runs-fits``."""
    return table.with_name(table.stem + ENDING)


def open_table(table: Path, *, out: Path | None = None, columns: str | None = None) -> Study:
    """The folder of a table, with the table copied into it.

    Args:
        table: the CSV file.
        out: the folder; None: `folder_of`.
        columns: as given to --columns.

    Raises:
        UserError: the table cannot be read, or the folder holds something else.
    """
    from hf_ctxscale.analysis.given_columns import parse_columns
    from hf_ctxscale.analysis.given_table import take_over_table

    study = Study(out or folder_of(table))
    if study.folder.exists() and not study.folder.is_dir():
        raise UserError(f"{str(study.folder)!r} is a file; give a folder for the fits with --out.")
    if study.config_file.is_file() or study.begun or study.score_records():
        raise UserError(f"{str(study.folder)!r} holds a study; give another folder for the fits of {str(table)!r} with --out.")
    if not study.table_file.is_file() and study.folder.is_dir() and any(study.folder.iterdir()):
        raise UserError(f"{str(study.folder)!r} holds other files and no table.csv; give an empty or a new folder with --out.")
    take_over_table(table, study=study, columns=parse_columns(columns) if columns else None)
    return study
