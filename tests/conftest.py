"""A tiny corpus, its tokens, and a tiny study, shared by the tests that need the whole path."""

import os

# Small models are slower on many threads, and a fixed number keeps float sums the same.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import random
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from hf_ctxscale.config import StudySettings, parse_settings
from hf_ctxscale.records import RunRecord
from hf_ctxscale.study import Study

WORDS = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa"]


@pytest.fixture(scope="session")
def text_folder(tmp_path_factory) -> Path:
    """60 documents of about 500 words each in a language of ten words."""
    folder = tmp_path_factory.mktemp("text")
    draw = random.Random(0)
    for number in range(60):
        text = " ".join(draw.choices(WORDS, weights=range(1, 11), k=draw.randint(300, 700)))
        (folder / f"{number:02}.txt").write_text(f"document {number}\n{text}\n")
    return folder


def tiny_config(text_folder: Path, **changes) -> dict:
    """A study that trains in a second: two families, one size, 8 positions."""
    return {
        "name": "tiny",
        "corpus": {"path": str(text_folder), "validation_fraction": 0.1, "test_fraction": 0.4},
        "tokenizer": {"vocab_size": 300},
        "context_tokens": 8,
        "precision": "float32",
        "sizes": [{"body_params": 2000, "train_tokens": 4800}],
        "families": [
            {"architecture": "lstm", "num_layers": 1, "learning_rate": 5e-2},
            {"architecture": "gpt2", "num_layers": 2, "learning_rate": 1e-2},
        ],
        "size_tolerance": 0.1,
        "training": {"batch_blocks": 4, "validation_points": 3, "validation_blocks": 8, "checkpoints": 5},
        **changes,
    }


@pytest.fixture
def tiny_settings(text_folder) -> StudySettings:
    return parse_settings(tiny_config(text_folder), source="tiny.yaml")


@pytest.fixture(scope="session")
def tiny_tokens(text_folder, tmp_path_factory):
    """The tokens of the tiny study."""
    from hf_ctxscale.data.build import build_tokens
    from hf_ctxscale.data.tokens import load_tokens

    settings = parse_settings(tiny_config(text_folder), source="tiny.yaml")
    folder = tmp_path_factory.mktemp("tokens")
    build_tokens(settings.corpus, settings.tokenizer, folder=folder, show=lambda text: None)
    return load_tokens(folder)


@pytest.fixture
def planned(text_folder, tiny_tokens) -> dict[str, RunRecord]:
    """A tiny run of every architecture of the table, planned in float32."""
    from hf_ctxscale.sweep.plan import plan_runs

    config = tiny_config(text_folder)
    config["families"].append({"architecture": "lstm_residual", "num_layers": 2, "learning_rate": 2e-2})
    records = plan_runs(
        parse_settings(config, source="tiny.yaml"),
        vocab_size=tiny_tokens.vocab_size,
        tokens_fingerprint=tiny_tokens.record.fingerprint,
        precision="float32",
    )
    return {record.architecture: record for record in records}


def write_config(path: Path, config: dict) -> Path:
    """A config as a YAML file."""
    with path.open("w") as file:
        YAML().dump(config, file)
    return path


def run_command(*arguments) -> subprocess.CompletedProcess:
    """`hf-ctxscale` in a process of its own."""
    command = [sys.executable, "-c", "from hf_ctxscale.cli import main; main()", *map(str, arguments)]
    environment = {**os.environ, "COLUMNS": "200", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


@pytest.fixture(scope="session")
def finished(text_folder, tmp_path_factory) -> tuple[Path, Study, str]:
    """A tiny study, run to its report by the command line: config, study, and what was printed."""
    folder = tmp_path_factory.mktemp("finished")
    config = write_config(folder / "tiny.yaml", tiny_config(text_folder, precision="auto", workers=2))
    done = run_command("run", config, "--out", folder / "study")
    assert done.returncode == 0, done.stdout + done.stderr
    return config, Study(folder / "study"), done.stdout
