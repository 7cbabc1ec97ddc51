"""Models of the Hub, through a stand-in for it on this machine: one that is there, and every reason why one cannot be had."""

import json
import math
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.hub_stand_in import HubStandIn
from tests.scoring.saved_models import save_tiny, write_documents

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
def hub(tmp_path_factory) -> Iterator[HubStandIn]:
    folder = save_tiny(tmp_path_factory.mktemp("hub") / "tiny", n_positions=24)
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    with HubStandIn() as hub:
        for name in ("gated", "half", "tiny", "unversioned"):
            hub.add_commit(f"org/{name}", files)
        hub.add_commit("org/empty", {})
        hub.repository("org/gated").gated = True
        # The Hub answers 401 for what is not there without a token, and 404 with one.
        hub.fail("/org/renamed", status=404, headers={"X-Error-Code": "RepoNotFound"}, times=math.inf)
        hub.fail("/org/dropped", cut="before", times=math.inf)
        hub.fail("/org/half/resolve/.*safetensors", cut="before", times=math.inf)
        yield hub


@pytest.fixture(scope="module")
def given(hub, tmp_path_factory) -> dict:
    """What the script printed; its process alone knows the stand-in, since the address is read when huggingface_hub is imported."""
    folder = tmp_path_factory.mktemp("process")
    names = [(f"org/{name}", None) for name in ("gated", "missing", "renamed", "dropped", "half", "empty")]
    names += [("org/unversioned", "v9"), ("not a name", None)]
    command = [sys.executable, "-c", SCRIPT, json.dumps(names), str(folder / "study"), str(write_documents(folder / "text"))]
    environment = hub.environment(folder, token=None)
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


def test_without_a_network_a_model_is_a_sentence_unless_it_is_there_already(given, hub):
    assert given["cached"] == hub.commits("org/tiny")[0].id
    assert "model 'org/never-seen' is no local folder, and the Hugging Face Hub cannot be reached for it (" in given["offline"]


def test_a_hub_model_is_scored_and_its_commit_recorded(given, hub):
    record = given["record"]
    assert record["revision"] == record["weights_fingerprint"] == hub.commits("org/tiny")[0].id
    assert record["model"] == "org/tiny"
    assert record["score_id"].startswith("org--tiny-within-")
    assert record["num_blocks"] > 0
    # A branch is the commit that it stands for.
    assert given["said"][-1] == "org/tiny is scored already; skipped."
