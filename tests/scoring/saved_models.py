"""Tiny models saved as folders, one of them with code of its own, and a corpus of a few documents to score them on."""

import random
import sys
from pathlib import Path

import pytest
import torch
import transformers.dynamic_module_utils
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerBase

import hf_ctxscale.models  # noqa: F401 (registers the LSTM)
from tests.scoring.read_along_models import SHAPES, VOCAB_SIZE, byte_level_tokenizer

# A model that no library knows, in one file beside its weights; `gives` says what its forward pass returns.
REMOTE_CODE = """
import torch
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput, CausalLMOutput


class OwnConfig(PreTrainedConfig):
    model_type = "h8_own"
    vocab_size: int = 290
    hidden_size: int = 8
    gives: str = "logits"


class OwnForCausalLM(PreTrainedModel):
    config_class = OwnConfig

    def __init__(self, config):
        super().__init__(config)
        self.embedding = nn.Embedding(config.vocab_size, config.hidden_size)
        self.head = nn.Linear(config.hidden_size, config.vocab_size)
        self.post_init()

    def get_input_embeddings(self):
        return self.embedding

    def get_output_embeddings(self):
        return self.head

    def forward(self, input_ids):
        seen = self.embedding(input_ids).cumsum(dim=1)
        if self.config.gives == "nothing":
            return BaseModelOutput(last_hidden_state=seen)
        return CausalLMOutput(logits=self.head(torch.tanh(seen)))
"""
AUTO_MAP = {"AutoConfig": "modeling_own.OwnConfig", "AutoModelForCausalLM": "modeling_own.OwnForCausalLM"}


def save_tiny(folder: Path, *, model_type: str = "gpt2", tokenizer: PreTrainedTokenizerBase | None = None, seed: int = 0, **fields) -> Path:
    """A random model with its tokenizer (a byte-level one by default); fields are those of its config."""
    tokenizer = tokenizer or byte_level_tokenizer(folder)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(seed)
    config = AutoConfig.for_model(
        model_type, **{"vocab_size": VOCAB_SIZE, **SHAPES.get(model_type, {}), "bos_token_id": 0, "eos_token_id": 0, **fields}
    )
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    return folder


def save_with_own_code(folder: Path, *, gives: str = "logits") -> Path:
    """A model whose code lies in its folder."""
    folder.mkdir()
    (folder / "modeling_own.py").write_text(REMOTE_CODE)
    scope: dict = {"__name__": "modeling_own"}
    exec(compile(REMOTE_CODE, "modeling_own.py", "exec", dont_inherit=True), scope)
    torch.manual_seed(0)
    model = scope["OwnForCausalLM"](scope["OwnConfig"](gives=gives, auto_map=AUTO_MAP))
    model.save_pretrained(folder)
    byte_level_tokenizer(folder)
    return folder


def keep_own_code_in(folder: Path, *, patch: pytest.MonkeyPatch) -> Path:
    """Lets transformers copy the code of models to this folder, and not to the user's cache."""
    patch.setattr(transformers.dynamic_module_utils, "HF_MODULES_CACHE", str(folder))
    patch.setattr(sys, "path", list(sys.path))
    return folder


def write_documents(folder: Path, *, num_documents: int = 5, num_words: int = 60, seed: int = 0) -> Path:
    """Text files whose lengths grow from the first to the last."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = random.Random(seed)
    for number in range(num_documents):
        words = draw.choices(["the", "cat", "dog", "sat", "on", "mat", "longer", "prompt"], k=num_words + 10 * number)
        (folder / f"{number}.txt").write_text(f"document {number}\n{' '.join(words)}\n")
    return folder
