"""model_upload: a trained run as a model repository: its files, the chart and the card."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hf_ctxscale.charts.draw import save_chart
from hf_ctxscale.charts.study_charts import score_chart
from hf_ctxscale.publishing import LICENCE
from hf_ctxscale.publishing.connection import check_repo_id
from hf_ctxscale.publishing.model_card import model_card, run_results, study_sources
from hf_ctxscale.publishing.model_files import model_files, needs_code
from hf_ctxscale.publishing.upload import Upload
from hf_ctxscale.records import RunRecord
from hf_ctxscale.reporting.cards import CHART
from hf_ctxscale.study import Study, UserError


def model_upload(run_folder: Path, *, repo_id: str, licence: str = LICENCE) -> Upload:
    """What a run's repository is to hold.

    Args:
        run_folder: STUDY/runs/RUN, of a finished run.
        licence: of the weights, as the Hub names it.

    Raises:
        UserError: the id is malformed, there is no such run, it is not finished, or its model cannot be published.
    """
    check_repo_id(repo_id)
    study, record = _open_run(run_folder)
    files = model_files(study.model_folder(record.run_id))
    sources = study_sources(study)
    results = run_results(study, record, sources=sources)
    if results:
        files[CHART] = _chart(study, results.score_id)
    card = model_card(
        record,
        repo_id=repo_id,
        sources=sources,
        results=results,
        needs_code=needs_code(files),
        study_name=sources.name if sources else study.folder.name,
        licence=licence,
    )
    return Upload(repo_id, "model", files | {"README.md": card.encode()}, f"Upload {record.run_id} with hf-ctxscale")


def _open_run(run_folder: Path) -> tuple[Study, RunRecord]:
    """The study and the record of a finished run.

    Raises:
        UserError: says what the folder is instead.
    """
    folder = run_folder.absolute()
    study = Study(folder.parent.parent)
    records = {record.run_id: record for record in study.run_records()} if folder.parent == study.runs else {}
    if folder.name not in records:
        own = [record.run_id for record in Study(folder).run_records()]
        runs = f" It is a study; its runs are {', '.join(own)}." if own else ""
        raise UserError(f"{str(run_folder)!r} is no run; name the folder of one, STUDY/runs/RUN.{runs}")
    record = records[folder.name]
    if record.state != "finished":
        because = f" ({record.reason})" if record.reason else ""
        raise UserError(
            f"the run {record.run_id!r} is not finished but {record.state}{because}; `hf-ctxscale run STUDY/study.yaml --out STUDY` takes it up again. "
            "Only finished runs are published."
        )
    return study, record


def _chart(study: Study, score_id: str) -> bytes:
    """The chart of the card's section; nothing is written into the study."""
    with TemporaryDirectory() as aside:
        (png,) = save_chart(score_chart(study, score_id), Path(aside) / Path(CHART).stem, forms=("png",))
        return png.read_bytes()
