"""study_uploads, publish_study: models, results and Space of a study as repositories beside each other, tied in a collection."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from hf_ctxscale.publishing.connection import check_repo_id, connect, patiently
from hf_ctxscale.publishing.hub_errors import in_sentences
from hf_ctxscale.publishing.model import model_upload
from hf_ctxscale.publishing.results import results_upload
from hf_ctxscale.publishing.space import space_upload
from hf_ctxscale.publishing.upload import Pushed, Show, Upload, push
from hf_ctxscale.records import RunRecord
from hf_ctxscale.study import StageError, Study, UserError


@dataclass(frozen=True)
class PublishedStudy:
    """What became of a study.

    Attributes:
        repositories: each upload with what became of it, in the order of the uploads.
        collection: its URL.
    """

    repositories: tuple[tuple[Upload, Pushed], ...]
    collection: str


def study_uploads(study: Study, *, repo_id: str, runs: Sequence[str] = ()) -> tuple[Upload, ...]:
    """The models as OWNER/PREFIX-<run>, the results as OWNER/PREFIX-results, and the Space OWNER/PREFIX, which names both.

    Runs that are not finished have no model yet, and a condensed study has none at all: they are left out.

    Args:
        repo_id: OWNER/PREFIX.
        runs: ids of the runs whose models are published; none: all of them.

    Raises:
        UserError: an id is malformed, there is no such run, or the study was not scored and analysed.
    """
    check_repo_id(repo_id)
    records = _chosen(study, runs)
    results_id = f"{repo_id}-results"
    model_ids = {record.run_id: f"{repo_id}-{record.run_id}" for record in records}
    # All of them before the first is made ready: a prefix may be too long for some.
    for name in (results_id, *model_ids.values()):
        check_repo_id(name)
    return (
        *(model_upload(study.run_folder(run_id), repo_id=name) for run_id, name in model_ids.items()),
        results_upload(study, repo_id=results_id),
        space_upload(repo_id=repo_id, results_id=results_id, study=study, models=tuple(model_ids.values())),
    )


def _chosen(study: Study, runs: Sequence[str]) -> list[RunRecord]:
    records = {record.run_id: record for record in study.run_records()}
    for run_id in runs:
        if run_id not in records:
            near = difflib.get_close_matches(run_id, records, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise UserError(f"{str(study.folder)!r} has no run {run_id!r}; {hint}Its runs: {', '.join(records) or 'none'}.")
    # A run that was named is looked for even where it has no model: the sentence about what is missing is wanted then.
    return [record for run_id, record in records.items() if run_id in runs or (not runs and _has_model(study, record))]


def _has_model(study: Study, record: RunRecord) -> bool:
    return record.state == "finished" and study.model_folder(record.run_id).is_dir()


def publish_study(
    uploads: Sequence[Upload],
    *,
    title: str,
    public: bool = False,
    overwrite: bool = False,
    endpoint: str | None = None,
    show: Show = lambda line: None,
) -> PublishedStudy:
    """Pushes one upload after the other and ties them in a collection; repeated after an interruption, it goes on where it stopped.

    Args:
        title: of the collection.
        public, overwrite, endpoint, show: as of `push`.

    Raises:
        UserError, StageError: as of `push`; the sentence says what was done before.
    """
    done: list[tuple[Upload, Pushed]] = []
    try:
        for upload in uploads:
            done.append((upload, push(upload, public=public, overwrite=overwrite, endpoint=endpoint, show=show)))
        collection = publish_collection(done, title=title, public=public, endpoint=endpoint, show=show)
    except (UserError, StageError) as error:
        before = f"Done before: {', '.join(pushed.url for _, pushed in done)}." if done else "Nothing was done before."
        raise type(error)(f"{error} {before} The same command again skips what is done.") from None
    return PublishedStudy(tuple(done), collection)


def publish_collection(
    repositories: Sequence[tuple[Upload, Pushed]],
    *,
    title: str,
    public: bool = False,
    endpoint: str | None = None,
    show: Show = lambda line: None,
) -> str:
    """A collection of repositories, all of one owner; one that exists gets those that it lacks. Each has its commit's message as its note.

    Returns:
        its URL.

    Raises:
        UserError, StageError: as of `push`.
    """
    api = connect(endpoint)
    owner = repositories[0][0].repo_id.partition("/")[0]
    with in_sentences(api, url=f"{api.endpoint}/collections/{owner}"):
        collection = patiently(lambda: api.create_collection(title, namespace=owner, private=not public, exists_ok=True), show=show)
        held = {(item.item_type, item.item_id) for item in collection.items}
        for upload, _ in repositories:
            if (upload.repo_type, upload.repo_id) not in held:
                # exists_ok: the answer to an earlier try may have been lost.
                add = partial(
                    api.add_collection_item, collection.slug, upload.repo_id, upload.repo_type, note=upload.message, exists_ok=True
                )
                patiently(add, show=show)
    return str(collection.url)
