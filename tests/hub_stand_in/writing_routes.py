"""A commit: how each file is to be sent, and the commit itself."""

import base64
import json

from tests.hub_stand_in.answers import Answer, Refused, json_answer, revision_not_found
from tests.hub_stand_in.card_metadata import metadata_findings
from tests.hub_stand_in.contents import Contents
from tests.hub_stand_in.repositories import Repository, StoredFile
from tests.hub_stand_in.requests_received import Request


def preupload(contents: Contents, request: Request, match: dict[str, str]) -> Answer:
    """For each file: in the commit itself, or through Git LFS; and the name of what stands there now."""
    repository, _ = contents.writable(request, match)
    branch = _branch(repository, match)
    told = []
    for asked in request.json["files"]:
        sample = base64.b64decode(asked.get("sample", ""))
        large = repository.goes_through_lfs(asked["path"], size=asked["size"], sample=sample, branch=branch)
        now = repository.branches[branch].files.get(asked["path"])
        name = None if now is None else now.sha256 if now.lfs else now.blob_id
        told.append({"path": asked["path"], "uploadMode": "lfs" if large else "regular", "shouldIgnore": False, "oid": name})
    return json_answer({"files": told, "commitOid": repository.branches[branch].id})


def commit(contents: Contents, request: Request, match: dict[str, str]) -> Answer:
    """One commit, whole or not at all; refused with 412 where the parent it names is no longer the newest."""
    repository, user = contents.writable(request, match)
    branch = _branch(repository, match)
    head = repository.branches[branch]
    header, *operations = [json.loads(line) for line in request.body.splitlines()]
    if header["value"].get("parentCommit", head.id) != head.id:
        raise Refused(412, "A commit has happened since. Please refresh and try again.")
    files = dict(head.files)
    for operation in operations:
        _apply(operation, files, repository, head_id=head.id)
    card = files.get("README.md")
    findings = metadata_findings(card.content.decode(), kind=repository.kind) if card and card is not head.files.get("README.md") else None
    if findings and findings.errors:
        raise Refused(400, "\n".join(error["message"] for error in findings.errors))
    title, description = header["value"]["summary"], header["value"].get("description", "")
    made = repository.add(branch, files, title=title, description=description, author=user.name)
    address = f"{contents.page_of(repository)}/commit/{made.id}"
    return json_answer({"success": True, "commitOid": made.id, "commitUrl": address, "hookOutput": ""})


def _branch(repository: Repository, match: dict[str, str]) -> str:
    if match["revision"] not in repository.branches:
        raise revision_not_found(match["revision"])
    return match["revision"]


def _apply(operation: dict, files: dict[str, StoredFile], repository: Repository, *, head_id: str) -> None:
    value = operation["value"]
    path = value["path"]
    match operation["key"]:
        case "file":
            files[path] = StoredFile(base64.b64decode(value["content"]), lfs=False)
        case "lfsFile":
            if value["oid"] not in repository.objects:
                said = "Your push was rejected because an LFS pointer pointed to a file that does not exist."
                raise Refused(400, f"{said} Offending file: - {path}")
            files[path] = StoredFile(repository.objects[value["oid"]], lfs=True)
        case "deletedFile" if path in files:
            del files[path]
        case "deletedFolder" if inside := [name for name in files if name.startswith(path.rstrip("/") + "/")]:
            for name in inside:
                del files[name]
        case "deletedFile" | "deletedFolder":
            raise Refused(404, f"A file with this name doesn't exist: {path}", code="EntryNotFound", commit=head_id)
        case unknown:
            raise Refused(400, f"Unknown operation {unknown}")
