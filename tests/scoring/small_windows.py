"""Token streams made of given documents, their windows, and tiny models in float64 whose predictions are far from even."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

import hf_ctxscale.models  # noqa: F401 (registers the LSTM)
from hf_ctxscale.data.blocks import NOT_SCORED, PackedWindows, StartWindows, Windows, WithinWindows
from hf_ctxscale.data.tokens import TokenSplit

VOCAB_SIZE = 31
END_OF_TEXT = 0
SHAPES: dict[str, dict[str, Any]] = {
    "gpt2": {"n_embd": 16, "n_layer": 2, "n_head": 2, "bos_token_id": None, "eos_token_id": None},
    "ctxscale_lstm": {"hidden_size": 8, "num_hidden_layers": 2},
    "rwkv": {"hidden_size": 16, "num_hidden_layers": 2, "attention_hidden_size": 16},
    "xlstm": {"hidden_size": 128, "num_hidden_layers": 1, "num_heads": 2},
    "mamba": {"hidden_size": 16, "num_hidden_layers": 2, "state_size": 4},
    "mamba2": {"hidden_size": 16, "num_hidden_layers": 2, "state_size": 4, "num_heads": 4, "head_dim": 8, "n_groups": 1, "chunk_size": 4},
}


def random_split(num_tokens: Sequence[int], *, seed: int = 0, vocab_size: int = VOCAB_SIZE) -> TokenSplit:
    """Documents ``d0``, ``d1``, ... of so many random tokens, each followed by the end-of-text token 0."""
    draw = np.random.default_rng(seed)
    return split_of([draw.integers(1, vocab_size, size=number) for number in num_tokens])


def split_of(documents: Sequence[np.ndarray]) -> TokenSplit:
    """A stream of these documents."""
    num_tokens = np.array([len(document) for document in documents])
    return TokenSplit(
        name="test",
        tokens=np.concatenate([np.append(document, END_OF_TEXT) for document in documents]).astype(np.uint16),
        documents=tuple(f"d{number}" for number in range(len(documents))),
        first_token=np.cumsum(np.concatenate([[0], num_tokens[:-1] + 1])),
        num_tokens=num_tokens,
        num_bytes=num_tokens * 2,
    )


def num_bytes_by_id(vocab_size: int = VOCAB_SIZE) -> np.ndarray:
    """A different number of bytes for neighbouring ids; none for the end of a text."""
    return np.where(np.arange(vocab_size) == END_OF_TEXT, 0, 1 + np.arange(vocab_size) % 4)


def choose(policy: str, split: TokenSplit, context_tokens: int, *, max_windows_per_document: int = 3) -> Windows:
    """Windows by one of the three policies."""
    if policy == "start":
        return StartWindows(split, context_tokens)
    if policy == "packed":
        return PackedWindows(split, context_tokens)
    return WithinWindows(split, context_tokens, max_windows_per_document=max_windows_per_document, seed=0)


def tiny_model(model_type: str, *, vocab_size: int = VOCAB_SIZE, dtype: torch.dtype = torch.float64, **fields: Any) -> PreTrainedModel:
    """Random, with weights three times as large as at the start of training."""
    torch.manual_seed(0)
    config = AutoConfig.for_model(model_type, vocab_size=vocab_size, **{**SHAPES[model_type], **fields})
    model = AutoModelForCausalLM.from_config(config, dtype=dtype).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)
    return model


@torch.no_grad()
def loss_of_next(model: PreTrainedModel, context: Sequence[int] | np.ndarray, target: int) -> float:
    """Of one token after this context, in nats: a forward pass of its own."""
    logits = model(torch.as_tensor(np.asarray(context, dtype=np.int64))[None]).logits[0, -1]
    return float(-torch.log_softmax(logits.double(), dim=-1)[target])


def is_scored(document: int) -> bool:
    """Whether a target is any document's text."""
    return document != NOT_SCORED
