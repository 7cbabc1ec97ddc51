"""Who one is; making, changing and deleting repositories, branches and tags; checking a card's metadata."""

from tests.hub_stand_in.answers import Answer, Refused, json_answer, revision_not_found
from tests.hub_stand_in.card_metadata import metadata_findings
from tests.hub_stand_in.contents import Contents
from tests.hub_stand_in.repositories import Repository
from tests.hub_stand_in.requests_received import Request


def who_am_i(contents: Contents, request: Request, match: dict[str, str]) -> Answer:
    """The user behind a token."""
    user = contents.known_user(request)
    organisations = [{"type": "org", "name": name, "fullname": name, "roleInOrg": "write"} for name in user.organisations]
    token = {"displayName": "tests", "role": user.role}
    said = {
        "type": "user",
        "id": user.name,
        "name": user.name,
        "fullname": user.name,
        "isPro": False,
        "canPay": False,
        "orgs": organisations,
    }
    return json_answer({**said, "auth": {"type": "access_token", "accessToken": token}})


def create_repository(contents: Contents, request: Request, match: dict[str, str]) -> Answer:
    """A new repository with its first commit; 409 where there is one already."""
    asked = request.json
    kind, owner = asked.get("type") or "model", asked.get("organization") or contents.known_user(request).name
    refusal = f'You don\'t have the rights to create a {kind} under the namespace "{owner}"'
    contents.writer(request, owner, refusal=refusal)
    private = asked.get("visibility") == "private" or asked.get("private") is True
    repository = Repository(f"{owner}/{asked['name']}", kind, private=private, sdk=asked.get("sdk"))
    said = {"url": contents.page_of(repository), "name": repository.id}
    if (kind, repository.id) in contents.repositories:
        raise Refused(409, f"You already created this {kind} repo", details=said)
    contents.repositories[kind, repository.id] = repository
    repository.begin()
    return json_answer({**said, "id": f"{kind}-{len(contents.repositories)}"})


def delete_repository(contents: Contents, request: Request, match: dict[str, str]) -> Answer:
    """Forgets a repository."""
    asked = request.json
    kind, owner = asked.get("type") or "model", asked.get("organization") or contents.known_user(request).name
    repository, _ = contents.writable(request, {"kind": kind, "owner": owner, "name": asked["name"]})
    del contents.repositories[kind, repository.id]
    return json_answer({"success": True})


def change_settings(contents: Contents, request: Request, match: dict[str, str]) -> Answer:
    """Private or public, gated or not."""
    repository, _ = contents.writable(request, match)
    asked = request.json
    if "visibility" in asked or "private" in asked:
        repository.private = asked.get("visibility") == "private" or asked.get("private") is True
    repository.gated = bool(asked.get("gated", repository.gated))
    return json_answer({"private": repository.private, "gated": repository.gated})


def check_access(contents: Contents, request: Request, match: dict[str, str]) -> Answer:
    """Whether one may read, or write to, a repository."""
    if match["write"]:
        contents.writable(request, match)
    else:
        repository = contents.readable(request, match)
        contents.allow_download(request, repository, repository.branches["main"])
    return json_answer({})


def create_branch(contents: Contents, request: Request, match: dict[str, str]) -> Answer:
    """A branch that begins where another one is; 409 where there is one already."""
    repository, _ = contents.writable(request, match)
    start = request.json.get("startingPoint", "main") if request.body else "main"
    commit = repository.commit_at(start)
    if commit is None:
        raise revision_not_found(start)
    if match["revision"] in repository.branches:
        raise Refused(409, f"Reference already exists: {match['revision']}")
    repository.branches[match["revision"]] = commit
    return json_answer({"success": True})


def create_tag(contents: Contents, request: Request, match: dict[str, str]) -> Answer:
    """A tag at a commit; 409 where there is one already."""
    repository, _ = contents.writable(request, match)
    commit = repository.commit_at(match["revision"])
    if commit is None:
        raise revision_not_found(match["revision"])
    if request.json["tag"] in repository.tags:
        raise Refused(409, f"Tag reference exists already: {request.json['tag']}")
    repository.tags[request.json["tag"]] = commit
    return json_answer({"success": True})


def known_agents(contents: Contents, request: Request, match: dict[str, str]) -> Answer:
    """The programs that huggingface_hub would recognise as its caller: none."""
    return json_answer({"standardEnvVars": [], "harnesses": {}})


def validate_yaml(contents: Contents, request: Request, match: dict[str, str]) -> Answer:
    """What is wrong with a card's metadata."""
    found = metadata_findings(request.json["content"], kind=request.json["repoType"])
    return json_answer({"errors": found.errors, "warnings": found.warnings}, status=400 if found.errors else 200)
