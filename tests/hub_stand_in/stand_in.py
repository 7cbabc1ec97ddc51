"""The stand-in as tests use it: start it, point clients at it, look into its repositories, order faults."""

import http.server
import os
import re
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Self
from unittest.mock import patch

import huggingface_hub
from huggingface_hub import HfApi, constants

from tests.hub_stand_in.contents import Contents, User
from tests.hub_stand_in.faults import Cut, Fault, Faults
from tests.hub_stand_in.repositories import Commit, Repository, StoredFile
from tests.hub_stand_in.server import Handler

# What a process on the machine of a developer may have set, and what would lead a client elsewhere.
LEFT_OUT = re.compile(r"(HF_|HUGGING|TRANSFORMERS_|DATASETS_|GRADIO_).*|.*_PROXY|SPACE_ID", re.IGNORECASE)
HERE = "127.0.0.1,localhost"


class HubStandIn:
    """A Hub on this machine; a context manager, each with a port and repositories of its own.

    Attributes:
        url: Where it answers.
        owner: The user that ``token`` stands for.
        requests: Method and path of every request, in order.
        unanswered: Those of them that the stand-in does not know.
        elsewhere: Other hosts that a client of :meth:`environment` tried to reach.
    """

    def __init__(self, *, owner: str = "me", organisations: tuple[str, ...] = ("org",)):
        handler = type("HandlerOfOneHub", (Handler,), {"hub": self})
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{port}"
        self.contents = Contents(self.url, storage_url=f"http://localhost:{port}")
        self.lock = threading.RLock()
        self.faults = Faults()
        self.requests: list[tuple[str, str]] = []
        self.unanswered: list[tuple[str, str]] = []
        self.elsewhere: list[str] = []
        self.owner = owner
        self.token = self.add_user(owner, organisations=organisations)
        self._open = ExitStack()

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        # For clients in this process: a proxy is not asked for this machine, and uploads take the way that the stand-in knows.
        self._open.enter_context(patch.dict(os.environ, {"NO_PROXY": HERE, "no_proxy": HERE}))
        self._open.enter_context(patch.object(constants, "HF_HUB_DISABLE_XET", True))
        huggingface_hub.close_session()
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()
        huggingface_hub.close_session()
        self._server.shutdown()
        self._server.server_close()

    def add_user(self, name: str, *, organisations: tuple[str, ...] = (), role: str = "write") -> str:
        """Another user, or another token of one.

        Args:
            organisations: Namespaces besides the user's own.
            role: What the token may do: read or write.

        Returns:
            The token; easy to find wherever it should not be.
        """
        token = f"hf_SecretOfTests{role.title()}{name.title()}"
        self.contents.users[token] = User(name, organisations, role)
        return token

    def environment(self, folder: Path, *, token: str | None = "") -> dict[str, str]:
        """The environment of a process whose clients talk to this stand-in, and to nothing else.

        Args:
            folder: Where its caches go.
            token: None for nobody; the owner's by default.
        """
        kept = {name: value for name, value in os.environ.items() if not LEFT_OUT.fullmatch(name)}
        given = {
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(folder / "hf_home"),
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",
            "HF_UPDATE_DOWNLOAD_COUNTS": "0",
            "GRADIO_ANALYTICS_ENABLED": "0",
            "HTTP_PROXY": self.url,
            "HTTPS_PROXY": self.url,
            "NO_PROXY": HERE,
            "no_proxy": HERE,
            "OMP_NUM_THREADS": "1",
        }
        return {**kept, **given, **({} if token is None else {"HF_TOKEN": token or self.token})}

    def api(self, *, token: str | None = "") -> HfApi:
        """A client of this process; ``token`` as in :meth:`environment`."""
        return HfApi(endpoint=self.url, token=False if token is None else token or self.token)

    def repository(self, repo_id: str, repo_type: str = "model") -> Repository:
        """A repository, as the stand-in keeps it."""
        return self.contents.repositories[repo_type, repo_id]

    def files(self, repo_id: str, repo_type: str = "model", revision: str = "main") -> dict[str, bytes]:
        """What a repository holds, by path."""
        commit = self.repository(repo_id, repo_type).commit_at(revision)
        assert commit is not None, f"{repo_id} has no {revision}"
        return {path: file.content for path, file in commit.files.items()}

    def commits(self, repo_id: str, repo_type: str = "model") -> list[Commit]:
        """The commits of main, newest first."""
        return list(self.repository(repo_id, repo_type).branches["main"].and_before())

    def add_commit(
        self,
        repo_id: str,
        files: Mapping[str, bytes | None],
        *,
        repo_type: str = "model",
        author: str = "somebody-else",
        private: bool = False,
    ) -> Commit:
        """A commit by somebody else; makes the repository where there is none.

        Args:
            files: What changes, by path; None takes a file away.
        """
        with self.lock:
            known = self.contents.repositories
            if (repo_type, repo_id) not in known:
                known[repo_type, repo_id] = Repository(repo_id, repo_type, private=private, sdk="gradio" if repo_type == "space" else None)
                known[repo_type, repo_id].begin()
            repository = known[repo_type, repo_id]
            held = dict(repository.branches["main"].files)
            for path, content in files.items():
                if content is None:
                    del held[path]
                else:
                    large = repository.goes_through_lfs(path, size=len(content), sample=content[:512], branch="main")
                    held[path] = StoredFile(content, lfs=large)
                    if large:
                        repository.objects[held[path].sha256] = content
            return repository.add("main", held, title="change by hand", author=author)

    def fail(
        self,
        when: str,
        *,
        status: int | None = None,
        cut: Cut | None = None,
        times: float = 1,
        skip: int = 0,
        retry_after: int | None = None,
        message: str = "",
        headers: Mapping[str, str] | None = None,
        first: Callable[[], object] | None = None,
    ) -> None:
        """Orders a fault: an error as answer (``status``), or a broken connection (``cut``).

        Args:
            when: A pattern that is looked for in "METHOD /path", such as "POST .*/commit/main".
            cut: "request": while it is being sent; "before" it was carried out; "after" it was carried out, without an answer; in the middle of the "answer".
            times: How many of the matching requests fail; math.inf for all of them.
            skip: How many of them are answered rightly before.
            retry_after: Seconds, for the header Retry-After.
            message: The error's sentence; the Hub's own by default.
            headers: More headers of the error.
            first: Called when the request has arrived, before it fails; may wait.
        """
        assert (status is None) != (cut is None), "a fault is either an answer with an error or a broken connection"
        more = {} if retry_after is None else {"Retry-After": str(retry_after)}
        said = {**more, **(headers or {})}
        self.faults.ordered.append(Fault(re.compile(when), times, skip, status=status, cut=cut, message=message, headers=said, first=first))

    def meanwhile(self, when: str, act: Callable[[], object], *, skip: int = 0) -> None:
        """Orders something to happen when a request has arrived and is not carried out yet, such as somebody else's commit.

        Args:
            when: A pattern as in :meth:`fail`.
            skip: How many matching requests are answered before.
        """
        self.faults.ordered.append(Fault(re.compile(when), skip=skip, first=act))
