"""All that the stand-in holds: users, repositories, collections; and who may read or write what."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.hub_stand_in.answers import Refused, entry_not_found, repository_not_found, revision_not_found
from tests.hub_stand_in.repositories import Commit, Repository
from tests.hub_stand_in.requests_received import Request


@dataclass(frozen=True)
class User:
    """Who a token stands for; ``role`` is read or write."""

    name: str
    organisations: tuple[str, ...] = ()
    role: str = "write"

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Where this user's repositories may be."""
        return (self.name, *self.organisations)


@dataclass
class Collection:
    """A collection; items as the Hub gives them."""

    slug: str
    title: str
    owner: str
    private: bool
    description: str | None
    items: list[dict] = field(default_factory=list)


@dataclass
class Contents:
    """The stand-in's memory; repositories by kind (model, dataset, space) and id."""

    url: str
    storage_url: str  # another origin, as the Hub's file storage is: clients must not send it their token
    page_size: int = 1000
    part_bytes: int = 5 * 1024 * 1024  # larger files are uploaded in parts
    users: dict[str, User] = field(default_factory=dict)
    repositories: dict[tuple[str, str], Repository] = field(default_factory=dict)
    collections: dict[str, Collection] = field(default_factory=dict)

    def user(self, request: Request) -> User | None:
        """Who asks; None without a token."""
        if request.token is None:
            return None
        if request.token not in self.users:
            raise Refused(401, "Invalid credentials in Authorization header")
        return self.users[request.token]

    def known_user(self, request: Request) -> User:
        """Who asks, where an answer is for users alone."""
        user = self.user(request)
        if user is None:
            raise Refused(401, "Invalid username or password.")
        return user

    def writer(self, request: Request, namespace: str, *, refusal: str) -> User:
        """Who asks, with the right to write in a namespace."""
        user = self.known_user(request)
        if user.role != "write":
            raise Refused(403, "Forbidden: you must use a write token to upload to a repository.")
        if namespace not in user.namespaces:
            raise Refused(403, refusal)
        return user

    def readable(self, request: Request, match: Mapping[str, str]) -> Repository:
        """The repository that an address names, if who asks may know of it."""
        user = self.user(request)
        repository = self.repositories.get((match["kind"].removesuffix("s"), f"{match['owner']}/{match['name']}"))
        if repository is None or (repository.private and (user is None or repository.owner not in user.namespaces)):
            raise repository_not_found(known_user=user is not None)
        return repository

    def writable(self, request: Request, match: Mapping[str, str]) -> tuple[Repository, User]:
        """The repository that an address names, and who may write to it."""
        repository = self.readable(request, match)
        refusal = "Forbidden: pass `create_pr=1` as a query parameter to create a Pull Request."
        return repository, self.writer(request, repository.owner, refusal=refusal)

    def commit(self, request: Request, match: Mapping[str, str]) -> tuple[Repository, Commit]:
        """The repository and the commit that an address names."""
        repository = self.readable(request, match)
        commit = repository.commit_at(match["revision"])
        if commit is None:
            raise revision_not_found(match["revision"])
        return repository, commit

    def allow_download(self, request: Request, repository: Repository, commit: Commit) -> None:
        """Refuses the files of a gated repository to everybody but its owners."""
        user = self.user(request)
        if not repository.gated or (user is not None and repository.owner in user.namespaces):
            return
        if user is None:
            said = (
                f"Access to {repository.kind} {repository.id} is restricted. You must have access to it and be authenticated to access it."
            )
            raise Refused(401, f"{said} Please log in.", code="GatedRepo", commit=commit.id)
        said = f"Access to {repository.kind} {repository.id} is restricted and you are not in the authorized list."
        raise Refused(403, f"{said} Visit {self.url}/{repository.id} to ask for access.", code="GatedRepo", commit=commit.id)

    def page_of(self, repository: Repository) -> str:
        """The address of a repository's page."""
        return f"{self.url}/{'' if repository.kind == 'model' else repository.kind + 's/'}{repository.id}"


def folder_or_file(commit: Commit, path: str) -> str:
    """A path of a commit, checked."""
    if path not in commit.files and path not in commit.trees:
        raise entry_not_found(path, commit=commit.id)
    return path
