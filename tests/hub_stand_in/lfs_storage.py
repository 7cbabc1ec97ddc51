"""The storage of large files: Git LFS's batch request, uploads whole or in parts, downloads; its addresses are signed and take no token."""

import hashlib
import math

from tests.hub_stand_in.answers import Answer, Refused, json_answer
from tests.hub_stand_in.contents import Contents
from tests.hub_stand_in.repositories import Repository
from tests.hub_stand_in.requests_received import Request

LFS_JSON = {"Content-Type": "application/vnd.git-lfs+json; charset=utf-8"}


def storage_address(contents: Contents, repository: Repository, sha256: str, *, method: str, part: int | None = None) -> str:
    """Where a large file, or a part of one, is read or written."""
    path = f"/lfs-storage/{repository.kind}s/{repository.id}/{sha256}" + (f"/{part}" if part else "")
    return f"{contents.storage_url}{path}?signature={_signature(method, path)}"


def lfs_batch(contents: Contents, request: Request, match: dict[str, str]) -> Answer:
    """Where to upload each large file; nothing for those that are there already."""
    repository, _ = contents.writable(request, {**match, "kind": match["kind"] or "models"})
    transfer = "multipart" if "multipart" in request.json.get("transfers", []) else "basic"
    objects = []
    for asked in request.json["objects"]:
        entry = {"oid": asked["oid"], "size": asked["size"], "authenticated": True}
        if asked["oid"] not in repository.objects:
            entry["actions"] = _actions(contents, repository, asked, in_parts=transfer == "multipart")
        objects.append(entry)
    return json_answer({"transfer": transfer, "objects": objects}, headers=LFS_JSON)


def _actions(contents: Contents, repository: Repository, asked: dict, *, in_parts: bool) -> dict:
    base = f"{contents.page_of(repository)}.git/info/lfs"
    upload = {"href": storage_address(contents, repository, asked["oid"], method="PUT"), "header": {}}
    if in_parts and asked["size"] > contents.part_bytes:
        parts = range(1, math.ceil(asked["size"] / contents.part_bytes) + 1)
        addresses = {str(part): storage_address(contents, repository, asked["oid"], method="PUT", part=part) for part in parts}
        # The Hub's own form of a multipart upload: addresses among the headers, and where to say that all parts are there.
        complete = f"{base}/complete?signature={_signature('POST', base)}"
        upload = {"href": complete, "header": {"chunk_size": str(contents.part_bytes), **addresses}}
    return {"upload": upload, "verify": {"href": f"{base}/verify", "header": {}}}


def store(contents: Contents, request: Request, match: dict[str, str]) -> Answer:
    """Takes a large file, or a part of one."""
    repository = _signed(contents, request, match)
    if match["part"]:
        repository.objects[f"{match['sha256']}/{match['part']}"] = request.body
    elif hashlib.sha256(request.body).hexdigest() != match["sha256"]:
        raise Refused(400, "The provided 'x-amz-checksum-sha256' header does not match what was computed.")
    else:
        repository.objects[match["sha256"]] = request.body
    return Answer(200, headers={"ETag": f'"{hashlib.md5(request.body).hexdigest()}"'})


def fetch(contents: Contents, request: Request, match: dict[str, str]) -> Answer:
    """Gives a large file."""
    repository = _signed(contents, request, match)
    content = repository.objects[match["sha256"]]
    return Answer(200, content, {"Content-Type": "application/octet-stream", "ETag": f'"{match["sha256"]}"', "Accept-Ranges": "bytes"})


def complete(contents: Contents, request: Request, match: dict[str, str]) -> Answer:
    """Puts the parts of a large file together."""
    repository = contents.repositories[(match["kind"] or "models").removesuffix("s"), f"{match['owner']}/{match['name']}"]
    sha256, parts = request.json["oid"], request.json["parts"]
    content = b"".join(repository.objects.pop(f"{sha256}/{part['partNumber']}") for part in parts)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise Refused(400, "The parts are not those of this file.")
    repository.objects[sha256] = content
    return json_answer({"success": True}, headers=LFS_JSON)


def verify(contents: Contents, request: Request, match: dict[str, str]) -> Answer:
    """Says whether a large file arrived whole."""
    repository, _ = contents.writable(request, {**match, "kind": match["kind"] or "models"})
    stored = repository.objects.get(request.json["oid"])
    if stored is None or len(stored) != request.json["size"]:
        raise Refused(404, "Object not found in the storage.")
    return json_answer({"message": "ok"}, headers=LFS_JSON)


def _signed(contents: Contents, request: Request, match: dict[str, str]) -> Repository:
    if request.token is not None:
        raise Refused(400, "Only one auth mechanism allowed")
    method = "GET" if request.method == "HEAD" else request.method
    if request.query != f"signature={_signature(method, request.path)}":
        raise Refused(403, "SignatureDoesNotMatch")
    return contents.repositories[match["kind"].removesuffix("s"), f"{match['owner']}/{match['name']}"]


def _signature(method: str, path: str) -> str:
    return hashlib.sha256(f"{method} {path}".encode()).hexdigest()
