"""results_upload: a study's results as a dataset repository: tables that the Hub's viewer shows, charts, report and card; and still a study."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import get_args

from hf_ctxscale.analysis.condense import condense_study
from hf_ctxscale.charts.draw import draw_study
from hf_ctxscale.publishing.connection import check_repo_id
from hf_ctxscale.publishing.own_paths import without_own_paths
from hf_ctxscale.publishing.results_card import results_card
from hf_ctxscale.publishing.results_tables import ResultTable, published_tables
from hf_ctxscale.publishing.upload import Upload
from hf_ctxscale.reporting.report import write_report
from hf_ctxscale.study import Study, UserError

LEFT_OUT = frozenset({".pdf"})  # of the charts: PNG for the card, SVG for papers


def results_upload(study: Study, *, repo_id: str) -> Upload:
    """The study's condensed copy, opened again by `analyse`, `draw` and the Space, with charts, report and card drawn from it.

    The study itself is only read.

    Raises:
        UserError: the id is malformed, or the study was not scored or analysed.
    """
    check_repo_id(repo_id)
    with TemporaryDirectory() as aside:
        copy = condensed_copy(study, folder=Path(aside))
        draw_study(copy)
        write_report(copy)
        tables = published_tables(copy)
        files: dict[str, Path | bytes] = {path: content for path, content in contents(copy).items() if Path(path).suffix not in LEFT_OUT}
        files["README.md"] = results_card(copy, repo_id=repo_id, tables=tables).encode()
    return Upload(repo_id, "dataset", files, message="Results: tables, charts, report and card")


def condensed_copy(study: Study, *, folder: Path) -> Study:
    """A condensed copy inside a folder, without paths of this machine.

    Raises:
        UserError: the study was not scored or analysed.
    """
    if not study.results_file("runs").is_file():
        raise UserError(
            f"{str(study.folder)!r} holds no tables of results to publish; score its models, or make its tables with "
            f"`hf-ctxscale analyse {study.folder}`."
        )
    # A study without settings is called by its folder.
    copy = condense_study(study, folder=folder / study.folder.resolve().name)
    known = {copy.fits_file, copy.comparisons_file, *map(copy.results_file, get_args(ResultTable))}
    for path in set(copy.results.iterdir()) - known:
        path.unlink()
    without_own_paths(copy)
    return copy


def contents(study: Study) -> dict[str, bytes]:
    """Every file of a study's folder but hidden ones: its path from there, and its content."""
    files = sorted(path for path in study.folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    return {path.relative_to(study.folder).as_posix(): path.read_bytes() for path in files}
