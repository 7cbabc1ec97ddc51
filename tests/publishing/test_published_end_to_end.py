"""A study published by the command line, and loaded again where the package is not: with transformers, datasets and evaluate."""

import json
import re
import socket
import subprocess
import sys
from pathlib import Path

import evaluate
import pyarrow.parquet as pq
import pytest
import torch
from gradio_client import Client
from huggingface_hub import DatasetCard, snapshot_download
from transformers import AutoModelForCausalLM

import hf_ctxscale.models
from tests.hub_stand_in import HubStandIn
from tests.publishing.publish_process import environment, publish, without_the_package

IDS = [[5, 1, 2, 3, 4, 5, 6, 7]]
METRIC_FOLDER = Path(hf_ctxscale.models.__file__).parents[1] / "metrics" / "per_position_loss"
LOSSES = [[3.0, 2.5, 2.25, 2.0], [3.5, 2.75, 2.0, 1.5], [2.5, 2.5, 2.5, 2.5]]

# Runs what each model's card says for transformers alone.
MODELS = """
import torch

given = {}
for card in json.loads(sys.argv[1]):
    named = {}
    exec(card, named)
    with torch.no_grad():
        logits = named["model"].eval()(torch.tensor(json.loads(sys.argv[2]))).logits.tolist()
    text = named["tokenizer"].decode(named["tokenizer"]("alpha beta")["input_ids"])
    given[type(named["model"]).__name__] = {"logits": logits, "text": text, "from": type(named["model"]).__module__.split(".")[0]}
print(json.dumps(given))
"""

TABLES = """
from datasets import get_dataset_config_names, load_dataset

name = sys.argv[1]
given = {"": load_dataset(name)["train"].to_list()}
for config in get_dataset_config_names(name):
    given[config] = load_dataset(name, config)["train"].to_list()
print(json.dumps(given, default=str))
"""

METRIC = """
import evaluate

print(json.dumps(evaluate.load(sys.argv[1]).compute(**json.loads(sys.argv[2])), default=lambda value: value.tolist()))
"""


@pytest.fixture(scope="module")
def hub():
    with HubStandIn() as hub:
        yield hub


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """What the commands of this file remember."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def said(hub, home, finished) -> str:
    """What two commands printed: the whole study, and the metric."""
    study = finished[1].folder
    done = [publish(hub, home, "study", study, "--repo", "me/tiny"), publish(hub, home, "metric", "--repo", "me/per_position_loss")]
    for one in done:
        assert one.returncode == 0, one.stdout + one.stderr
    return "".join(one.stdout + one.stderr for one in done)


@pytest.fixture(scope="module")
def run_ids(finished) -> dict[str, str]:
    """Models on the Hub, by the run that they were trained in."""
    return {run.run_id: f"me/tiny-{run.run_id}" for run in finished[1].run_records()}


def test_every_repository_is_private_and_made_in_one_commit(said, hub, run_ids):
    made = {(kind, name) for kind, name in hub.contents.repositories}
    assert made == {
        ("space", "me/tiny"),
        ("space", "me/per_position_loss"),
        ("dataset", "me/tiny-results"),
        *(("model", name) for name in run_ids.values()),
    }
    for kind, name in made:
        assert hub.repository(name, kind).private
        assert len(hub.commits(name, kind)) == 2  # the Hub's own first one, and ours
    [collection] = hub.contents.collections.values()
    assert collection.private
    assert {(item["type"], item["id"]) for item in collection.items} == made - {("space", "me/per_position_loss")}
    for name in made - {("space", "me/per_position_loss")}:
        assert name[1] in said
    assert hub.unanswered == []
    assert hub.elsewhere == []


def test_what_a_models_card_says_opens_it_without_the_package_and_gives_the_logits_of_its_folder(said, hub, run_ids, finished, tmp_path):
    blocks = {
        run_id: re.findall(r"```python\n(.*?)```", hub.files(name)["README.md"].decode(), re.DOTALL) for run_id, name in run_ids.items()
    }
    cards = [next(block for block in found if "hf_ctxscale" not in block) for found in blocks.values()]
    given = without_the_package(MODELS, hub, tmp_path, json.dumps(cards), json.dumps(IDS))
    assert {name: found["from"] for name, found in given.items()} == {
        "GPT2LMHeadModel": "transformers",
        "LSTMForCausalLM": "transformers_modules",
    }
    for run_id in run_ids:
        model = AutoModelForCausalLM.from_pretrained(finished[1].model_folder(run_id)).eval()
        found = given[type(model).__name__]
        with torch.no_grad():
            assert found["logits"] == model(torch.tensor(IDS)).logits.tolist()
        assert found["text"] == "alpha beta"


def test_every_table_of_the_results_loads_with_its_rows(said, hub, finished, tmp_path):
    given = without_the_package(TABLES, hub, tmp_path, "me/tiny-results")
    card = DatasetCard(hub.files("me/tiny-results", "dataset")["README.md"].decode())
    assert sorted(given.keys() - {""}) == sorted(entry["config_name"] for entry in card.data["configs"])
    assert {"runs", "curves", "positions"} <= given.keys()
    assert given[""] == given["runs"]
    for name in ("runs", "curves", "positions"):
        assert given[name] == json.loads(json.dumps(pq.read_table(finished[1].results_file(name)).to_pylist(), default=str))
    trained = {run.run_id for run in finished[1].run_records()}
    for name, rows in given.items():
        assert {row["run_id"] for row in rows} == trained, name


def test_the_metric_loaded_without_the_package_gives_its_numbers(said, hub, tmp_path):
    asked = {"predictions": LOSSES}
    here = evaluate.load(str(METRIC_FOLDER)).compute(**asked)
    assert without_the_package(METRIC, hub, tmp_path, "me/per_position_loss", json.dumps(asked)) == json.loads(
        json.dumps(here, default=lambda value: value.tolist())
    )


def test_publishing_the_same_again_changes_nothing(said, hub, home, finished):
    before = {key: repository.branches["main"].id for key, repository in hub.contents.repositories.items()}
    again = publish(hub, home, "study", finished[1].folder, "--repo", "me/tiny")
    assert again.returncode == 0, again.stdout + again.stderr
    assert {key: hub.contents.repositories[key].branches["main"].id for key in before} == before
    assert len(hub.contents.collections) == 1


def test_the_token_stands_nowhere(said, hub, home, finished):
    secret = hub.token
    assert secret not in said
    for (kind, name), repository in hub.contents.repositories.items():
        for commit in hub.commits(name, kind):
            assert secret not in commit.title + commit.description
            for path, file in commit.files.items():
                assert secret.encode() not in file.content, f"{name}: {path}"
        assert all(secret.encode() not in content for content in repository.objects.values())
    for folder in (home, finished[1].folder):
        for path in folder.rglob("*"):
            assert not path.is_file() or secret.encode() not in path.read_bytes(), path
    assert all(secret not in path for _, path in hub.requests)


def test_the_space_downloaded_again_starts_with_the_studys_results(said, hub, finished, tmp_path):
    folder = snapshot_download("me/tiny", repo_type="space", endpoint=hub.url, token=hub.token, local_dir=tmp_path / "space")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        **environment(hub, tmp_path, token=None),
        "GRADIO_SERVER_PORT": str(port),
        "GRADIO_SERVER_NAME": "127.0.0.1",
        "PYTHONUNBUFFERED": "1",
    }
    with subprocess.Popen(
        [sys.executable, "app.py"], cwd=folder, env=settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as app:
        try:
            # Its first line says where it listens; an app that fails ends, and so does its output.
            started = next((line for line in app.stdout if f":{port}" in line), None)
            assert started is not None
            points = json.dumps(Client(f"http://127.0.0.1:{port}", verbose=False).predict(api_name="/size_chart"))
        finally:
            app.terminate()
    sizes = pq.read_table(finished[1].results_file("runs"))["body_params"].to_pylist()
    assert all(str(size) in points for size in sizes), points
    assert hub.elsewhere == []


def test_a_dry_run_lists_every_file_and_asks_nothing_of_the_hub(said, hub, run_ids, finished, tmp_path):
    with HubStandIn() as silent:
        done = publish(silent, tmp_path, "study", finished[1].folder, "--repo", "me/tiny", "--dry-run", token=None)
        assert done.returncode == 0, done.stdout + done.stderr
        assert silent.requests == []
    for kind, name in hub.contents.repositories.keys() - {("space", "me/per_position_loss")}:
        for path in hub.files(name, kind).keys() - {".gitattributes"}:
            assert path in done.stdout
    # The cards themselves.
    assert all(f'AutoTokenizer.from_pretrained("{name}"' in done.stdout for name in run_ids.values())
