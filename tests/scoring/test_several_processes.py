"""Two processes score what one does: the same sums, one voice, nothing left over, also after a kill and where one of them fails."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from small_windows import tiny_model
from transformers import AutoTokenizer

from hf_ctxscale.analysis.sums import load_losses
from hf_ctxscale.data.tokenizer import train_tokenizer
from hf_ctxscale.scoring.score_models import score_models
from hf_ctxscale.scoring.score_options import ScoreOptions
from hf_ctxscale.scoring.scored_corpus import open_scored_corpus
from hf_ctxscale.study import Study

CONTEXT = 32
BATCH = 3
TABLES = ("losses", "losses_by_bytes", "ablation")
BIN = Path(sys.executable).parent
# accelerate starts several processes without a GPU (--cpu starts one, mpirun aside) through the launcher for several GPUs alone.
ACCELERATE = [BIN / "accelerate", "launch", "--multi_gpu", "--num_processes=2", "--num_machines=1", "--mixed_precision=no"]
ACCELERATE += ["--dynamo_backend=no", "--main_process_port=0"]
TORCHRUN = [BIN / "torchrun", "--standalone", "--nproc_per_node=2"]
SLOW = """
import os, pathlib, time
from hf_ctxscale.cli import main
from hf_ctxscale.scoring import resuming
from hf_ctxscale.scoring.token_losses import TokenLosses
resuming.SECONDS_BETWEEN_SAVES = -1.0
fast = TokenLosses.__call__
TokenLosses.__call__ = lambda *arguments: time.sleep(0.3) or fast(*arguments)
pathlib.Path(__file__).with_name("pid" + os.environ["RANK"]).write_text(str(os.getpid()))
main()
"""
SPOILT = """
import os
from hf_ctxscale.cli import main
from hf_ctxscale.scoring.token_losses import TokenLosses
sound = TokenLosses.__call__
TokenLosses.__call__ = lambda *arguments: sound(*arguments) * (float("nan") if os.environ["RANK"] == "1" else 1)
main()
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A folder with a model and a text of 24 documents."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "text").mkdir()
    draw = random.Random(0)
    words = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"]
    texts = [f"{number} " + " ".join(draw.choices(words, k=draw.randint(60, 140))) for number in range(24)]
    for number, text in enumerate(texts):
        (folder / "text" / f"{number:02}.txt").write_text(text)
    train_tokenizer(texts, vocab_size=280, num_bytes=10**6, folder=folder / "model")
    vocab_size = len(AutoTokenizer.from_pretrained(folder / "model"))
    tiny_model("gpt2", vocab_size=vocab_size, n_positions=CONTEXT, dtype=torch.float32).save_pretrained(folder / "model")
    return folder


def _command(launcher, made, out, *, start=("-m", "hf_ctxscale")) -> list[str]:
    score = ["score", made / "model", "--corpus", made / "text", "--context", CONTEXT, "--ablation", "--batch", BATCH, "--out", out]
    return list(map(str, [*launcher, *start, *score]))


def _environment() -> dict[str, str]:
    return {**os.environ, "ACCELERATE_USE_CPU": "1", "OMP_NUM_THREADS": "1", "COLUMNS": "200"}


def _launch(launcher, made, out, **options) -> subprocess.CompletedProcess:
    command = _command(launcher, made, out, **options)
    return subprocess.run(command, env=_environment(), capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def launched(made):
    """A study that two processes scored, and what they printed."""
    done = _launch(ACCELERATE, made, made / "two")
    assert done.returncode == 0, done.stdout + done.stderr
    return Study(made / "two"), done


@pytest.fixture(scope="module")
def alone(made, tmp_path_factory):
    """Scores by this process alone, by batch size."""

    def score(batch_blocks: int) -> Path:
        study = Study(tmp_path_factory.mktemp("alone"))
        corpus = open_scored_corpus(str(made / "text"), split=None, study=study)
        options = ScoreOptions(CONTEXT, ablation=True, batch_blocks=batch_blocks)
        [record] = score_models([str(made / "model")], corpus=corpus, options=options)
        return study.scores / record.score_id

    return {batch_blocks: score(batch_blocks) for batch_blocks in (BATCH, 5)}


def _folder(study: Study) -> Path:
    [record] = study.score_records()
    return study.scores / record.score_id


@pytest.mark.parametrize("table", TABLES)
def test_two_processes_give_the_sums_of_one_at_equal_batch_size(table, launched, alone):
    two, one = (load_losses(folder / f"{table}.parquet") for folder in (_folder(launched[0]), alone[BATCH]))
    assert two.documents == one.documents
    assert len(two.documents) == 24
    for name in ("num_blocks", "num_tokens", "num_bytes"):
        np.testing.assert_array_equal(getattr(two, name), getattr(one, name))
    np.testing.assert_allclose(two.loss_sum_nats, one.loss_sum_nats, rtol=1e-12)


@pytest.mark.parametrize("table", TABLES)
def test_another_batch_size_moves_no_mean_by_more_than_rounding(table, launched, alone):
    two, one = (load_losses(folder / f"{table}.parquet") for folder in (_folder(launched[0]), alone[5]))
    np.testing.assert_array_equal(two.num_tokens, one.num_tokens)
    assert (np.abs(two.loss_sum_nats - one.loss_sum_nats) <= 1e-5 * two.num_tokens).all()


def test_the_records_differ_in_nothing_but_how_they_were_made(launched, alone):
    two, one = (json.loads((folder / "score.json").read_text()) for folder in (_folder(launched[0]), alone[BATCH]))
    assert (two.pop("num_processes"), one.pop("num_processes")) == (2, 1)
    assert two.pop("seconds") > 0 < one.pop("seconds")
    # The sums of two processes are added in another order.
    assert two["ablation"].pop("std_error_nats") == pytest.approx(one["ablation"].pop("std_error_nats"), rel=1e-9)
    assert two == one


def test_one_process_speaks(launched):
    study, done = launched
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert lines.count("score") == 1
    assert sum(line.startswith(f"{study.score_records()[0].model}: ablation of") for line in lines) == 1
    assert len(lines) == len(set(lines))
    assert done.stderr.strip() == ""


def test_nothing_is_left_over(launched):
    study, _ = launched
    left = [path.name for path in study.scores.rglob("*") if path.name.startswith(".") or path.suffix in (".npz", ".tmp")]
    assert left == []


def test_a_job_that_was_killed_goes_on_to_the_same_sums(made, launched):
    slow = made / "slow.py"
    slow.write_text(SLOW)
    out = made / "killed"
    killed = subprocess.Popen(
        _command(TORCHRUN, made, out, start=(slow,)), env=_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 200
    while len(list(out.glob("scores/*/.score-*of2.npz"))) < 2:
        assert killed.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(int((made / "pid1").read_text()), signal.SIGKILL)
    assert killed.wait(timeout=100) != 0
    assert list(out.glob("scores/*/score.json")) == []
    for rank in (0, 1):
        [file] = out.glob(f"scores/*/.score-{rank}of2.npz")
        with np.load(file) as arrays:
            assert int(arrays["done"]) >= 1

    done = _launch(TORCHRUN, made, out)
    assert done.returncode == 0, done.stdout + done.stderr
    for table in TABLES:
        resumed, expected = (load_losses(_folder(study) / f"{table}.parquet") for study in (Study(out), launched[0]))
        np.testing.assert_array_equal(resumed.loss_sum_nats, expected.loss_sum_nats)
    assert list(out.glob("scores/*/.*")) == []


def test_an_error_of_one_process_alone_ends_both_with_its_sentence(made):
    (made / "spoilt.py").write_text(SPOILT)
    done = _launch(TORCHRUN, made, made / "spoilt", start=(made / "spoilt.py",))
    assert done.returncode != 0
    sentence = rf"error: model '{made / 'model'}' gives a loss of nan at context position 1 of document '\d\d.txt'"
    assert len(re.findall(sentence, done.stderr)) == 1
    assert list((made / "spoilt").glob("scores/*/score.json")) == []
