"""`hf-ctxscale read-along`: a page and a table from saved models, and every mistake as a sentence."""

import csv
import io
import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from hf_ctxscale.cli.main import app
from hf_ctxscale.scoring.open_model import OpenedModel
from hf_ctxscale.scoring.token_by_token import score_text
from hf_ctxscale.study import UserError
from tests.conftest import run_command
from tests.scoring.read_along_models import TEXT, byte_level_tokenizer, open_tiny


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> list[Path]:
    """A Transformer and an LSTM of one tokenizer, saved in float32."""
    folder = tmp_path_factory.mktemp("models")
    tokenizer = byte_level_tokenizer(folder / "tokenizer")
    for model_type in ("gpt2", "ctxscale_lstm"):
        opened = open_tiny(model_type, tokenizer, bos_token_id=0, eos_token_id=0)
        opened.model.float().save_pretrained(folder / model_type)
        tokenizer.save_pretrained(folder / model_type)
    return [folder / "gpt2", folder / "ctxscale_lstm"]


@pytest.fixture
def text_file(tmp_path) -> Path:
    path = tmp_path / "text.txt"
    path.write_bytes(TEXT.encode())
    return path


def _read_along(*arguments) -> None:
    app(["read-along", *map(str, arguments)], standalone_mode=False)


def test_two_models_give_a_page_and_a_table(models, text_file, tmp_path):
    page, table = tmp_path / "page.html", tmp_path / "tokens.csv"
    done = run_command("read-along", *models, "--text", text_file, "--short-context", 4, "--out", page, "--table", table, "--bos", "always")
    assert done.returncode == 0, done.stderr
    assert "of context instead of the last 4, the mean loss" in done.stdout
    assert str(page) in done.stdout
    assert 'id="read-along-difference"' in page.read_text()
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["model"] for row in rows] == [str(model) for model in models for _ in range(len(rows) // 2)]
    assert "".join(row["text"] for row in rows[: len(rows) // 2]) == TEXT

    model = AutoModelForCausalLM.from_pretrained(models[0], dtype=torch.float32)
    from transformers import AutoTokenizer

    expected = score_text(
        OpenedModel("gpt2", model, AutoTokenizer.from_pretrained(models[0]), None, 256), TEXT, short_context_tokens=4, bos="always"
    )
    assert [float(row["loss_short_nats"]) for row in rows[: len(rows) // 2]] == pytest.approx(expected.loss_short_nats.tolist(), abs=1e-5)


def test_standard_input_is_a_text_too(models, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TEXT.encode())))
    _read_along(models[1], "--text", "-", "--context", 12, "--short-context", 6, "--out", tmp_path / "page.html")
    assert "With up to 12 tokens of context instead of the last 6" in (tmp_path / "page.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("a", "b", "c", "--text", "{text}"), "3 models were given; a page shows one or two"),
        (("a", "b", "--text", "{text}", "--revision", "main"), r"--revision was given 1 time\(s\) for 2 model\(s\); give it once for each"),
        (("a", "--text", "nowhere.txt"), "there is no text file 'nowhere.txt'; give --text a file in UTF-8, or '-' for standard input"),
        (("a", "--text", "{latin}"), r"latin.txt' is not UTF-8 \(byte 3\); convert it"),
        (("/no/such/model", "--text", "{text}"), "there is no model folder '/no/such/model'"),
        (("{gpt2}", "--text", "{empty}"), "the text is 0 tokens long"),
    ],
)
def test_mistakes_are_sentences_and_leave_no_page(arguments, sentence, models, text_file, tmp_path):
    (tmp_path / "latin.txt").write_bytes("naïve".encode("latin-1")[:2] + "aïve".encode("latin-1"))
    (tmp_path / "empty.txt").touch()
    places = {"text": text_file, "latin": tmp_path / "latin.txt", "empty": tmp_path / "empty.txt", "gpt2": models[0]}
    with pytest.raises(UserError, match=sentence):
        _read_along(*(argument.format(**places) for argument in arguments), "--out", tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()
