"""Small LSTMs of every shape, and inputs for them."""

import copy
from pathlib import Path

import pytest
import torch

from hf_ctxscale.models import LSTMConfig, LSTMForCausalLM

SHAPES = {
    "plain": {"hidden_size": 8},
    "wide embedding": {"hidden_size": 8, "num_hidden_layers": 2, "embedding_size": 12},
    "projection": {"hidden_size": 8, "num_hidden_layers": 2, "proj_size": 5},
    "residual and norm": {"hidden_size": 8, "num_hidden_layers": 3, "residual": True, "layer_norm": True},
    "untied head": {"hidden_size": 8, "num_hidden_layers": 2, "embedding_size": 6, "tie_word_embeddings": False},
}
every_shape = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
VOCAB_SIZE = 290
PROMPTS = ["the cat", "a much longer prompt about the cat and the dog", "dog"]
REPOSITORY = Path(__file__).parents[2]


def make_model(shape: dict | None = None, *, kind: type = LSTMForCausalLM, **fields) -> LSTMForCausalLM:
    torch.manual_seed(0)
    return kind(LSTMConfig(**{"vocab_size": VOCAB_SIZE, **(shape or SHAPES["plain"]), **fields})).eval()


def some_ids(rows: int = 3, tokens: int = 7, *, vocab_size: int = VOCAB_SIZE) -> torch.Tensor:
    return torch.randint(vocab_size, (rows, tokens), generator=torch.Generator().manual_seed(10 * rows + tokens))


def padded(input_ids: torch.Tensor) -> torch.Tensor:
    """A mask with padding on the left of the first row and on the right of the last one."""
    mask = torch.ones_like(input_ids)
    mask[0, :3] = 0
    mask[-1, -2:] = 0
    return mask


def assert_equal_bits(actual: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert actual.keys() == expected.keys()
    assert [name for name in expected if not torch.equal(actual[name], expected[name])] == []


def assert_equal_logits(loaded: LSTMForCausalLM, saved: LSTMForCausalLM, ids: torch.Tensor, **inputs) -> None:
    """To the bit. A loaded tensor lies in the file's memory, wherever its header ends, and a matrix product's last bit depends on the alignment."""
    loaded, saved = copy.deepcopy(loaded), copy.deepcopy(saved)
    assert torch.equal(loaded(ids, **inputs).logits, saved(ids, **inputs).logits)
