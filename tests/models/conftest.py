"""Saved folders of every shape, with a tokenizer in them."""

import shutil
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from hf_ctxscale.data.tokenizer import train_tokenizer
from hf_ctxscale.models import LSTMForCausalLM, LSTMModel
from tests.models.small_models import SHAPES, VOCAB_SIZE, make_model


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory) -> Path:
    """A byte-level BPE, made as a study makes it."""
    folder = tmp_path_factory.mktemp("tokenizer")
    text = "the cat and the dog sat on the mat; the longer the prompt about the cat, the longer the dog sat. " * 20
    train_tokenizer([text], vocab_size=VOCAB_SIZE, num_bytes=len(text), folder=folder)
    return folder


@pytest.fixture(scope="session")
def folders(tokenizer_folder, tmp_path_factory) -> dict[str, Path]:
    """Every shape's saved folder with a tokenizer in it, and the plain one's body saved as LSTMModel."""
    root = tmp_path_factory.mktemp("folders")
    end_of_text = AutoTokenizer.from_pretrained(tokenizer_folder).eos_token_id
    saved = {}
    for number, (name, shape) in enumerate([*SHAPES.items(), ("base model", SHAPES["plain"])]):
        model = make_model(shape, kind=LSTMModel if name == "base model" else LSTMForCausalLM, pad_token_id=end_of_text)
        saved[name] = root / str(number)
        shutil.copytree(tokenizer_folder, saved[name])
        model.save_pretrained(saved[name])
    return saved
