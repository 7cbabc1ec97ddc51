"""download_results: the study of a results dataset that the app's owner has chosen, with the owner's own login, kept in the Hub's cache."""

from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    HTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from hf_ctxscale.study import Study, UserError

# A study's records and tables; charts, reports and whatever else lies in the dataset stay there.
FETCHED = (
    "study.yaml",
    "table.csv",
    "tokens/corpus.json",
    "runs/*.json",
    "runs/*.parquet",
    "scores/*.json",
    "scores/*.parquet",
    "results/*",
)


def download_results(repo_id: str, *, revision: str | None = None) -> Study:
    """The study, from the cache where it is there already.

    Args:
        repo_id: of a dataset, OWNER/NAME.
        revision: a commit, branch or tag; None: the default branch.

    Raises:
        UserError: there is no such dataset or revision, it cannot be reached, or it holds no results.
    """
    try:
        folder = Path(snapshot_download(repo_id, repo_type="dataset", revision=revision, allow_patterns=[*FETCHED]))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OfflineModeIsEnabled, HTTPError, OSError) as error:
        raise UserError(_sentence(repo_id, revision, error)) from error
    study = Study(folder)
    if not (study.results_file("runs").is_file() or study.table_file.is_file()):
        raise UserError(
            f"dataset {repo_id!r} holds no study with results; `hf-ctxscale publish results STUDY --repo ID` makes one that does."
        )
    # Ids become paths: those of a dataset that somebody else wrote stay inside its folders.
    records = [(study.run_file(run.run_id), run.run_id) for run in study.run_records()]
    records += [(study.score_file(score.score_id), score.score_id) for score in study.score_records()]
    if moved := [name for path, name in records if path.parents[2] != study.folder or not path.is_file()]:
        raise UserError(f"dataset {repo_id!r} holds the record of {moved[0]!r} in another folder than its own; it is not opened.")
    return study


def _sentence(repo_id: str, revision: str | None, error: Exception) -> str:
    if isinstance(error, HFValidationError):
        return f"{repo_id!r} is no id of the Hugging Face Hub; write it as OWNER/NAME."
    if isinstance(error, GatedRepoError):
        return f"dataset {repo_id!r} is gated on the Hugging Face Hub; ask for access on its page, then log in with `hf auth login` or set HF_TOKEN."
    if isinstance(error, RevisionNotFoundError):
        return f"dataset {repo_id!r} has no revision {revision!r} on the Hugging Face Hub; give one of its branches, tags or commits."
    if isinstance(error, RepositoryNotFoundError):
        return (
            f"there is no folder {repo_id!r}, and no dataset of that name on the Hugging Face Hub that you may read; check the spelling, or log in "
            "with `hf auth login` (on a Space: set its secret HF_TOKEN) where it is private."
        )
    return (
        f"there is no folder {repo_id!r}, and the Hugging Face Hub cannot be reached for a dataset of that name; check the spelling, the network and "
        "HF_HUB_OFFLINE."
    )
