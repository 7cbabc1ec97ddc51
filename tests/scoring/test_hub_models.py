"""Models of the Hub, through a stand-in for it on this machine: one that is there, and every reason why one cannot be had."""

import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scoring.saved_models import save_tiny, write_documents

COMMIT = "0123456789abcdef0123456789abcdef01234567"
# What the Hub answers for a repository: status, X-Error-Code, X-Error-Message.
ANSWERS = {
    "org/gated": (
        401,
        "GatedRepo",
        "Access to model org/gated is restricted. You must have access to it and be authenticated to access it.",
    ),
    "org/missing": (401, "RepoNotFound", "Repository not found"),
    "org/renamed": (404, "RepoNotFound", "Repository not found"),
    "org/unversioned": (404, "RevisionNotFound", "Invalid rev id: v9"),
}


class _Hub(http.server.BaseHTTPRequestHandler):
    """Serves the files of one folder as the repositories org/tiny and, without the weights, org/half; refuses the rest."""

    folder: Path

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def _answer(self, *, body: bool) -> None:
        repository = "/".join(self.path.removeprefix("/api/models").split("/")[1:3])
        file = self.folder / self.path.rpartition("/")[2]
        if repository == "org/dropped" or (repository == "org/half" and file.suffix == ".safetensors"):
            self.close_connection = True
        elif repository in ANSWERS:
            self._reply(ANSWERS[repository][0], b"", {"X-Error-Code": ANSWERS[repository][1], "X-Error-Message": ANSWERS[repository][2]})
        elif repository in ("org/tiny", "org/half") and "/resolve/" in self.path and file.is_file():
            content = file.read_bytes()
            self._reply(200, content if body else b"", {"ETag": f'"{hashlib.sha1(content).hexdigest()}"'}, size=len(content))
        else:
            self._reply(404, b"", {"X-Error-Code": "EntryNotFound"})

    def _reply(self, status: int, content: bytes, headers: dict[str, str], *, size: int = 0) -> None:
        self.send_response(status)
        for name, value in {**headers, "X-Repo-Commit": COMMIT, "Content-Length": str(size)}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        """Says nothing."""


# Opens every name; then scores the one that is there, twice.
SCRIPT = """
import json, sys
from pathlib import Path
from hf_ctxscale.scoring.open_model import open_causal_lm
from hf_ctxscale.scoring.score_models import score_models
from hf_ctxscale.scoring.score_options import ScoreOptions
from hf_ctxscale.scoring.scored_corpus import open_scored_corpus
from hf_ctxscale.study import Study, UserError

given = {}
for name, revision in json.loads(sys.argv[1]):
    try:
        open_causal_lm(name, revision=revision)
    except UserError as error:
        given[name] = str(error)
study = Study(Path(sys.argv[2]))
corpus = open_scored_corpus(sys.argv[3], split=None, study=study)
said = []
for revision in (None, "main"):
    [record] = score_models(["org/tiny"], corpus=corpus, options=ScoreOptions(context_tokens=8, revision=revision), say=said.append)
given["record"], given["said"] = record.model_dump(), said
import huggingface_hub.constants
huggingface_hub.constants.HF_HUB_OFFLINE = True
given["cached"] = open_causal_lm("org/tiny").revision
try:
    open_causal_lm("org/never-seen")
except UserError as error:
    given["offline"] = str(error)
print(json.dumps(given))
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory) -> Iterator[str]:
    folder = save_tiny(tmp_path_factory.mktemp("hub") / "tiny", n_positions=24)
    handler = type("Handler", (_Hub,), {"folder": folder})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture(scope="module")
def given(hub, tmp_path_factory) -> dict:
    """What the script printed; its process alone knows the stand-in, since the address is read when huggingface_hub is imported."""
    folder = tmp_path_factory.mktemp("process")
    names = [
        *((name, "v9" if name == "org/unversioned" else None) for name in ANSWERS),
        ("org/dropped", None),
        ("org/half", None),
        ("org/empty", None),
        ("not a name", None),
    ]
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))},
        "HF_ENDPOINT": hub,
        "HF_HOME": str(folder / "cache"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-c", SCRIPT, json.dumps(names), str(folder / "study"), str(write_documents(folder / "text"))]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("org/gated", "is gated on the Hugging Face Hub; ask for access on its page, then log in with `hf auth login` or set HF_TOKEN."),
        ("org/missing", "there is no model 'org/missing' on the Hugging Face Hub that you may read, and no folder of that name; check the"),
        ("org/renamed", "there is no model 'org/renamed' on the Hugging Face Hub that you may read, and no folder of that name; check the"),
        (
            "org/unversioned",
            "model 'org/unversioned' has no such revision on the Hugging Face Hub; give one of its branches, tags or commits",
        ),
        ("org/dropped", "model 'org/dropped' is no local folder, and the Hugging Face Hub cannot be reached for it ("),
        ("org/half", "model 'org/half' is no local folder, and the Hugging Face Hub cannot be reached for it ("),
        ("not a name", "there is no folder 'not a name', and no model of the Hugging Face Hub can have that name; check the spelling."),
        ("org/empty", "model 'org/empty' cannot be opened: Unrecognized model in org/empty. Should have a `model_type` key in its config."),
    ],
)
def test_a_model_that_cannot_be_had_is_a_sentence_that_says_why(name, words, given):
    assert words in given[name]
    assert "\n" not in given[name]


def test_without_a_network_a_model_is_a_sentence_unless_it_is_there_already(given):
    assert given["cached"] == COMMIT
    assert "model 'org/never-seen' is no local folder, and the Hugging Face Hub cannot be reached for it (" in given["offline"]


def test_a_hub_model_is_scored_and_its_commit_recorded(given):
    record = given["record"]
    assert record["revision"] == record["weights_fingerprint"] == COMMIT
    assert record["model"] == "org/tiny"
    assert record["score_id"].startswith("org--tiny-within-")
    assert record["num_blocks"] > 0
    # A branch is the commit that it stands for.
    assert given["said"][-1] == "org/tiny is scored already; skipped."
