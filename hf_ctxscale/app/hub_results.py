"""fetch_results: the study in a results dataset on the Hub that everybody may read: its records and tables alone, after a look at their sizes."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from huggingface_hub import HfApi, hf_hub_download

from hf_ctxscale.app.hub_errors import hub_sentences
from hf_ctxscale.app.received_files import study_files
from hf_ctxscale.study import UserError

AT_ONCE = 8  # files


def fetch_results(repo_id: str, *, revision: str | None, folder: Path, megabytes: int) -> str:
    """Downloads the study's files. No login is used, whatever this machine has: a visitor sees what everybody may see.

    Args:
        repo_id: of a dataset, OWNER/NAME.
        revision: a commit, branch or tag; None: the default branch.
        folder: that the study's files are written into.
        megabytes: of the files at most.

    Returns:
        the commit.

    Raises:
        UserError: there is no such dataset or revision, it holds no study, or one that is too large.
    """
    with hub_sentences(repo_id, kind="dataset"):
        info = HfApi(token=False).dataset_info(repo_id, revision=revision, files_metadata=True)
    siblings = {file.rfilename: file for file in info.siblings or ()}
    wanted = study_files(siblings, source=f"dataset {repo_id!r}")
    unknown = [path for path in wanted if siblings[path].size is None]
    if unknown or info.sha is None:
        raise UserError(
            f"the Hub does not say how large {unknown[0] if unknown else 'the files'!r} of dataset {repo_id!r} is, so it is not fetched."
        )
    total = sum(siblings[path].size or 0 for path in wanted) / 1e6
    if total > megabytes:
        raise UserError(
            f"the study in dataset {repo_id!r} has {total:,.0f} MB; at most {megabytes:,} MB are fetched here: show it on your own computer with "
            f"`hf-ctxscale space {repo_id}`."
        )
    with TemporaryDirectory(dir=folder.parent) as aside:
        fetch = partial(hf_hub_download, repo_id, repo_type="dataset", revision=info.sha, token=False, local_dir=aside)
        with hub_sentences(repo_id, kind="dataset"), ThreadPoolExecutor(AT_ONCE) as pool:
            fetched = [*pool.map(lambda path: Path(fetch(filename=path)), wanted)]
        for path, inside in zip(fetched, wanted.values(), strict=True):
            target = folder / inside
            target.parent.mkdir(parents=True, exist_ok=True)
            path.rename(target)
    return info.sha
