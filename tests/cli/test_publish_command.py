"""`hf-ctxscale publish`: what it shows, how it ends, and that a dry run needs neither network nor token."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hf_ctxscale.study import Study
from tests.hub_stand_in import HubStandIn

ID = "me/small"
MAIN = "from hf_ctxscale.cli import main; main()"
# No torch, and nobody is reached: a dry run of a stock model, a study's results, the Space.
ALONE = """
import socket, sys

def refuse(*given):
    raise AssertionError(f"a connection to {given}")

socket.socket.connect = refuse
from hf_ctxscale.cli.main import app
app(sys.argv[1:], standalone_mode=False)
loaded = {"torch", "transformers", "datasets", "evaluate", "gradio"} & set(sys.modules)
assert not loaded, loaded
"""


def publish(*arguments: object, environment: dict[str, str], script: str = MAIN) -> subprocess.CompletedProcess:
    """`hf-ctxscale publish` in a process of its own."""
    command = [sys.executable, "-c", script, "publish", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env={**environment, "COLUMNS": "200"}, check=False)


def without_token(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    return {**kept, "HF_HOME": str(folder), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}


def run_of(study: Study, architecture: str) -> Path:
    return next(study.run_folder(record.run_id) for record in study.run_records() if record.architecture == architecture)


def test_help_lists_every_kind_and_says_what_holds_for_all(tmp_path):
    done = publish("--help", environment=without_token(tmp_path))
    assert done.returncode == 0
    for word in ("model", "results", "space", "metric", "study", "Private unless --public"):
        assert word in done.stdout
    for kind in ("model", "results", "space", "metric", "study"):
        told = publish(kind, "--help", environment=without_token(tmp_path)).stdout
        assert all(option in told for option in ("--repo", "--public", "--dry-run", "--overwrite"))
        assert "--token" not in told


def test_a_dry_run_of_a_model_lists_its_files_and_shows_its_card(finished, tmp_path):
    _, study, _ = finished
    done = publish("model", run_of(study, "gpt2"), "--repo", ID, "--dry-run", environment=without_token(tmp_path), script=ALONE)
    assert done.returncode == 0, done.stderr
    for name in ("README.md", "config.json", "context_use.png", "model.safetensors", "tokenizer.json"):
        assert f" B  {name}\n" in done.stdout
    assert "library_name: transformers" in done.stdout
    assert "# small" in done.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["results", "study"])
def test_a_dry_run_of_what_a_study_measured_needs_no_network(finished, tmp_path, kind):
    _, study, _ = finished
    done = publish(kind, study.folder, "--repo", "me/tiny", "--dry-run", environment=without_token(tmp_path))
    assert done.returncode == 0, done.stderr
    names = (
        ["me/tiny-results", "me/tiny:", *(f"me/tiny-{record.run_id}" for record in study.run_records())] if kind == "study" else ["me/tiny"]
    )
    assert all(name in done.stdout for name in names)
    assert "README.md:" in done.stdout


@pytest.mark.parametrize("kind", ["space", "metric"])
def test_a_dry_run_of_an_app_needs_no_network(tmp_path, kind):
    done = publish(kind, "--repo", "me/tool", "--dry-run", environment=without_token(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "space me/tool: " in done.stdout
    assert " B  app.py\n" in done.stdout


def test_a_model_is_pushed_and_pushed_again_without_a_change(finished, tmp_path):
    _, study, _ = finished
    with HubStandIn() as hub:
        environment = hub.environment(tmp_path)
        first, again = (publish("model", run_of(study, "lstm"), "--repo", ID, environment=environment) for _ in range(2))
        assert (first.returncode, again.returncode) == (0, 0), first.stderr + again.stderr
        assert f"new model repository, private: {hub.url}/{ID}" in first.stdout
        assert f"{hub.url}/{ID} holds it now (commit " in first.stdout
        assert f"{hub.url}/{ID} held all of it already (commit " in again.stdout
        assert len(hub.commits(ID)) == 2
        assert hub.token not in first.stdout + first.stderr + again.stdout + again.stderr


def test_a_mistake_of_the_users_ends_with_2_and_a_sentence(finished, tmp_path):
    _, study, _ = finished
    run = run_of(study, "gpt2")
    cases = {
        "give OWNER/NAME": ("model", run, "--repo", "small", "--dry-run"),
        "no Hugging Face token was found": ("model", run, "--repo", ID),
        "is no run; name the folder of one": ("model", tmp_path, "--repo", ID),
        "holds no study (no study.yaml in it)": ("results", tmp_path, "--repo", ID),
    }
    for words, arguments in cases.items():
        done = publish(*arguments, environment=without_token(tmp_path / "home"))
        assert done.returncode == 2, done.stderr
        assert done.stderr.startswith("error: ")
        assert words in done.stderr
        assert "Traceback" not in done.stderr


def test_a_hub_that_fails_ends_with_1_and_a_sentence(finished, tmp_path):
    _, study, _ = finished
    with HubStandIn() as hub:
        hub.fail("GET /api/models/", status=418)
        done = publish("model", run_of(study, "gpt2"), "--repo", ID, environment=hub.environment(tmp_path))
        assert done.returncode == 1
        assert done.stderr.startswith(f"error: the Hub answered 418 for {hub.url}/{ID}")
        assert "Traceback" not in done.stderr
