"""What a repository holds: its description, folders, commits, branches, and the content of its files."""

import json
from urllib.parse import quote

from ruamel.yaml import YAMLError

from tests.hub_stand_in.answers import Answer, entry_not_found, json_answer
from tests.hub_stand_in.card_metadata import read_metadata
from tests.hub_stand_in.contents import Contents, folder_or_file
from tests.hub_stand_in.lfs_storage import storage_address
from tests.hub_stand_in.repositories import Commit, StoredFile
from tests.hub_stand_in.requests_received import Request


def describe(contents: Contents, request: Request, match: dict[str, str]) -> Answer:
    """A repository at a revision, main by default."""
    repository, commit = contents.commit(request, {**match, "revision": match["revision"] or "main"})
    siblings = [{"rfilename": path, **(_sizes(file) if request.asks_for("blobs") else {})} for path, file in sorted(commit.files.items())]
    card = _card_metadata(commit)
    said = {
        "_id": f"{repository.kind}-{repository.id}",
        "id": repository.id,
        "author": repository.owner,
        "sha": commit.id,
        "lastModified": _time(commit),
        "createdAt": _time(list(commit.and_before())[-1]),
        "private": repository.private,
        "gated": "auto" if repository.gated else False,
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "tags": [tag for tag in card.get("tags", []) if isinstance(tag, str)],
        "cardData": json.loads(json.dumps(card, default=str)),
        "siblings": siblings,
        "usedStorage": sum(len(content) for content in repository.objects.values()),
    }
    if repository.kind == "model":
        said |= {"modelId": repository.id, "pipeline_tag": card.get("pipeline_tag"), "library_name": card.get("library_name")}
    if repository.kind == "space":
        said |= {"sdk": repository.sdk}
    return json_answer(said, headers={"X-Repo-Commit": commit.id})


def list_tree(contents: Contents, request: Request, match: dict[str, str]) -> Answer:
    """The files and folders under a path, page by page."""
    _, commit = contents.commit(request, match)
    folder = match["path"] or ""
    if folder not in commit.trees:
        raise entry_not_found(folder, commit=commit.id)
    start = f"{folder}/" if folder else ""
    inside = sorted(path for path in {*commit.files, *commit.trees} if path and path.startswith(start))
    if not request.asks_for("recursive"):
        inside = [path for path in inside if "/" not in path.removeprefix(start)]
    first, size = request.number("cursor", 0), request.number("limit", contents.page_size)
    entries = [_entry(commit, path, expanded=request.asks_for("expand")) for path in inside[first : first + size]]
    headers = {"X-Repo-Commit": commit.id}
    if first + size < len(inside):
        switches = [f"{name}=True" for name in ("recursive", "expand") if request.asks_for(name)]
        query = "&".join([*switches, f"limit={size}", f"cursor={first + size}"])
        headers["Link"] = f'<{contents.url}{request.path}?{query}>; rel="next"'
    return json_answer(entries, headers=headers)


def list_paths(contents: Contents, request: Request, match: dict[str, str]) -> Answer:
    """The entries of some paths; those that are not there are left out."""
    _, commit = contents.commit(request, match)
    asked = request.json if "json" in request.headers.get("Content-Type", "") else request.form
    expanded = str(asked.get("expand", "")).strip("[]'").lower() == "true"
    known = [path for path in asked["paths"] if path and (path in commit.files or path in commit.trees)]
    return json_answer([_entry(commit, path, expanded=expanded) for path in known])


def list_commits(contents: Contents, request: Request, match: dict[str, str]) -> Answer:
    """The commits of a branch, newest first."""
    _, commit = contents.commit(request, match)
    told = [
        {"id": one.id, "title": one.title, "message": one.description, "date": _time(one), "authors": [{"user": one.author}]}
        for one in commit.and_before()
    ]
    return json_answer(told, headers={"X-Total-Count": str(len(told))})


def list_refs(contents: Contents, request: Request, match: dict[str, str]) -> Answer:
    """Branches and tags."""
    repository = contents.readable(request, match)
    branches = [{"name": name, "ref": f"refs/heads/{name}", "targetCommit": commit.id} for name, commit in repository.branches.items()]
    tags = [{"name": name, "ref": f"refs/tags/{name}", "targetCommit": commit.id} for name, commit in repository.tags.items()]
    return json_answer({"branches": branches, "tags": tags, "converts": [], "pullRequests": []})


def resolve(contents: Contents, request: Request, match: dict[str, str]) -> Answer:
    """The content of a file: a large one from the storage, another host, as the Hub does."""
    repository, commit = contents.commit(request, {**match, "kind": match["kind"] or "models"})
    contents.allow_download(request, repository, commit)
    file = commit.files.get(folder_or_file(commit, match["path"]))
    if file is None:
        raise entry_not_found(match["path"], commit=commit.id)
    headers = {"X-Repo-Commit": commit.id, "Access-Control-Expose-Headers": "X-Repo-Commit, X-Linked-Size, X-Linked-ETag"}
    if file.lfs:
        linked = {"X-Linked-Size": str(len(file.content)), "X-Linked-ETag": f'"{file.sha256}"'}
        return Answer(302, headers={**headers, **linked, "Location": storage_address(contents, repository, file.sha256, method="GET")})
    name = quote(match["path"].rpartition("/")[2])
    shown = {"Content-Type": "text/plain; charset=utf-8", "Content-Disposition": f"inline; filename*=UTF-8''{name}"}
    return Answer(200, file.content, {**headers, **shown, "ETag": f'"{file.blob_id}"', "Accept-Ranges": "bytes"})


def dataset_viewer(contents: Contents, request: Request, match: dict[str, str]) -> Answer:
    """What the dataset viewer says of a dataset that it has not converted."""
    return json_answer({"error": "The dataset does not exist, or is not accessible without authentication (private or gated)."}, status=404)


def _sizes(file: StoredFile) -> dict:
    lfs = {"sha256": file.sha256, "size": len(file.content), "pointerSize": len(file.pointer)}
    return {"size": len(file.content), "blobId": file.blob_id, **({"lfs": lfs} if file.lfs else {})}


def _entry(commit: Commit, path: str, *, expanded: bool) -> dict:
    """A file or folder as the Hub's listings give it."""
    entry = {"type": "directory", "oid": commit.name_of(path), "size": 0, "path": path}
    if path in commit.files:
        file = commit.files[path]
        entry |= {"type": "file", "size": len(file.content)}
        if file.lfs:
            entry["lfs"] = {"oid": file.sha256, "size": len(file.content), "pointerSize": len(file.pointer)}
    if expanded:
        change = commit.last_change(path)
        entry["lastCommit"] = {"id": change.id, "title": change.title, "date": _time(change)}
    return entry


def _card_metadata(commit: Commit) -> dict:
    card = commit.files.get("README.md")
    try:
        return read_metadata(card.content.decode()) if card else {}
    except YAMLError:
        return {}


def _time(commit: Commit) -> str:
    return commit.when.strftime("%Y-%m-%dT%H:%M:%S.000Z")
