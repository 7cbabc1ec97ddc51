"""push: an upload into its repository on the Hub, in one commit, unless somebody else has changed it."""

import json
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import HfHubHTTPError, HTTPError

from hf_ctxscale.publishing.connection import check_repo_id, connect, passing, patiently, pause, waits
from hf_ctxscale.publishing.hub_errors import in_sentences
from hf_ctxscale.publishing.published import last_published, published_file, remember_published
from hf_ctxscale.publishing.repository import KEPT, Held, is_untouched, look, size_bytes
from hf_ctxscale.study import UserError

RepoType = Literal["model", "dataset", "space"]
Show = Callable[[str], None]
IN_URL: dict[RepoType, str] = {"model": "", "dataset": "datasets/", "space": "spaces/"}
CONFLICTS = frozenset({409, 412})  # the Hub's answers where somebody else is writing, and where the parent is not the newest commit


@dataclass(frozen=True)
class Upload:
    """What one repository is to hold: all of it.

    Attributes:
        files: path in the repository -> a file, or its content.
        message: of the commit.
        space_sdk: of a Space alone.
    """

    repo_id: str
    repo_type: RepoType
    files: Mapping[str, Path | bytes]
    message: str
    space_sdk: Literal["gradio"] | None = None

    def sizes(self) -> dict[str, int]:
        """Bytes of each file, in order of the paths."""
        return {path: size_bytes(self.files[path]) for path in sorted(self.files)}


@dataclass(frozen=True)
class Pushed:
    """What became of an upload. ``changed``: False where the repository held all of it already."""

    url: str
    commit: str
    changed: bool


def push(
    upload: Upload, *, public: bool = False, overwrite: bool = False, endpoint: str | None = None, show: Show = lambda line: None
) -> Pushed:
    """Makes the repository hold what the upload says, in one commit on top of the one that was looked at.

    Files that are no longer part of the upload are deleted; earlier commits keep them. An upload that was interrupted can be repeated.

    Args:
        public: make a new repository public; one that exists stays as it is.
        overwrite: also where it holds commits that were not pushed from here.
        endpoint: None: huggingface.co, or what HF_ENDPOINT says.
        show: gets what happens, a line at a time.

    Raises:
        UserError: a malformed id, no token, no right to write, or somebody else's commits.
        StageError: the Hub or the way to it fails, again and again.
    """
    check_repo_id(upload.repo_id)
    api = connect(endpoint)
    url = f"{api.endpoint}/{IN_URL[upload.repo_type]}{upload.repo_id}"
    with in_sentences(api, url=url):
        held = _opened(api, upload, url=url, public=public, show=show)
        if held.holds(upload.files):
            pushed = Pushed(url, held.head, changed=False)
        else:
            if not overwrite:
                _refuse_what_others_changed(api, upload, held=held, url=url, show=show)
            pushed = Pushed(url, _commit(api, upload, held=held, url=url, show=show), changed=True)
        _remember(api, upload, commit=pushed.commit, show=show)
    return pushed


def _opened(api: HfApi, upload: Upload, *, url: str, public: bool, show: Show) -> Held:
    """The repository, made where there is none."""
    held = patiently(lambda: look(api, upload.repo_id, repo_type=upload.repo_type), show=show)
    if held is not None:
        _say_who_sees_it(upload, held=held, public=public, url=url, show=show)
        return held
    show(f"new {upload.repo_type} repository, {'public' if public else 'private'}: {url}")
    # exist_ok: the answer to an earlier try may have been lost.
    patiently(
        lambda: api.create_repo(upload.repo_id, repo_type=upload.repo_type, private=not public, exist_ok=True, space_sdk=upload.space_sdk),
        show=show,
    )
    held = patiently(lambda: look(api, upload.repo_id, repo_type=upload.repo_type), show=show)
    if held is None:
        raise UserError(f"{url} exists, but this token may not see it; `hf auth whoami` shows whose token it is.")
    if not public and not held.private:
        # An organisation may make all its repositories public, and somebody else may have been faster.
        raise UserError(
            f"{url} was to be private and is public, so nothing was pushed; `{_settings(upload, 'private')}` makes it private, or give --public."
        )
    _say_who_sees_it(upload, held=held, public=public, url=url, show=show)
    return held


def _say_who_sees_it(upload: Upload, *, held: Held, public: bool, url: str, show: Show) -> None:
    if held.name != upload.repo_id:
        raise UserError(f"{upload.repo_id!r} is called {held.name!r} on the Hub now; give that name.")
    if public and held.private:
        show(f"{url} is private and stays so, since --public is for new repositories; `{_settings(upload, 'public')}` makes it public")
    elif not public and not held.private:
        show(f"{url} is public and stays so: everybody sees what is pushed")


def _settings(upload: Upload, visibility: Literal["public", "private"]) -> str:
    return f"hf repos settings {upload.repo_id} --type {upload.repo_type} --{visibility}"


def _refuse_what_others_changed(api: HfApi, upload: Upload, *, held: Held, url: str, show: Show) -> None:
    ours = last_published(upload.repo_id, repo_type=upload.repo_type, endpoint=api.endpoint)
    if held.head == ours:
        return
    if patiently(lambda: is_untouched(api, held, repo_id=upload.repo_id, repo_type=upload.repo_type), show=show):
        return
    whose = "has commits that came after the last one pushed from here" if ours else "holds commits that were not pushed from here"
    raise UserError(
        f"{url} {whose} (newest: {held.head[:7]}), and nothing was changed. Look at {url}/commits/main; "
        "--overwrite replaces its files by these, and its earlier commits stay in its history."
    )


def _commit(api: HfApi, upload: Upload, *, held: Held, url: str, show: Show) -> str:
    """The commit that holds the upload; its parent is what was looked at."""
    for wait in waits():
        try:
            return _send(api, upload, held=held)
        except (HTTPError, json.JSONDecodeError) as error:
            if not passing(error) and _status(error) not in CONFLICTS:
                raise
            # The commit may have been made and the answer lost.
            now = patiently(lambda: look(api, upload.repo_id, repo_type=upload.repo_type), show=show)
            if now is not None and now.holds(upload.files):
                return now.head
            if now is None or now.head != held.head:
                raise _changed_meanwhile(url) from None
            if wait is None:
                raise
            pause(error, wait=wait, show=show)
    raise AssertionError("the last try returns or raises")


def _send(api: HfApi, upload: Upload, *, held: Held) -> str:
    # Made anew for every try: the client writes into them.
    additions = [CommitOperationAdd(path, content) for path, content in sorted(upload.files.items())]
    deletions = [CommitOperationDelete(path, is_folder=False) for path in sorted(set(held.files) - set(upload.files) - {KEPT})]
    with warnings.catch_warnings():
        # A Space ships its results as parquet, on purpose.
        warnings.filterwarnings("ignore", message="It seems that you are about to commit a data file")
        made = api.create_commit(
            upload.repo_id,
            [*additions, *deletions],
            commit_message=upload.message,
            repo_type=upload.repo_type,
            parent_commit=held.head,
        )
    return made.oid


def _status(error: Exception) -> int | None:
    return error.response.status_code if isinstance(error, HfHubHTTPError) else None


def _changed_meanwhile(url: str) -> UserError:
    return UserError(
        f"{url} was changed by somebody else during the upload, and their change was not overwritten. Look at {url}/commits/main; repeat the command "
        "with --overwrite to replace its files by these."
    )


def _remember(api: HfApi, upload: Upload, *, commit: str, show: Show) -> None:
    try:
        remember_published(upload.repo_id, repo_type=upload.repo_type, endpoint=api.endpoint, commit=commit)
    except OSError as error:
        show(f"pushed, but {published_file()} cannot be written ({error.strerror}): the next push of this repository will need --overwrite")
