"""Losses of many kinds of causal LM, in chunks and through their own logits, against float64."""

import re
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn import functional
from transformers import AutoConfig, AutoModelForCausalLM

import hf_ctxscale.models  # noqa: F401 (registers the LSTM)
from hf_ctxscale.scoring import token_losses
from hf_ctxscale.scoring.token_losses import TokenLosses, losses_of_logits
from hf_ctxscale.study import UserError

VOCAB_SIZE = 61
_PLAIN = {
    "vocab_size": VOCAB_SIZE,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
_GROUPED = {**_PLAIN, "num_key_value_heads": 2}
_GPT = {"vocab_size": VOCAB_SIZE, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64, "bos_token_id": 1, "eos_token_id": 2}
_RECURRENT = {"vocab_size": VOCAB_SIZE, "hidden_size": 32, "num_hidden_layers": 2}
MODELS = {
    "bloom": {"vocab_size": VOCAB_SIZE, "hidden_size": 32, "n_layer": 2, "n_head": 4},
    "codegen": {**_GPT, "rotary_dim": 4},
    "cohere": _GROUPED,
    "ctxscale_lstm": _RECURRENT,
    "falcon": _PLAIN,
    "gemma2": {**_GROUPED, "head_dim": 8},
    "gemma3_text": {**_GROUPED, "head_dim": 8},
    "gpt2": _GPT,
    "gpt_neox": _PLAIN,
    "gptj": {**_GPT, "rotary_dim": 4},
    "granite": _PLAIN,
    "jamba": {
        **_GROUPED,
        "num_experts": 2,
        "num_experts_per_tok": 1,
        "mamba_d_state": 4,
        "attn_layer_period": 2,
        "attn_layer_offset": 1,
        "expert_layer_period": 2,
        "expert_layer_offset": 1,
        "use_mamba_kernels": False,
    },
    "llama": _PLAIN,
    "mamba": {**_RECURRENT, "state_size": 4},
    "mamba2": {**_RECURRENT, "state_size": 4, "num_heads": 8, "head_dim": 8, "n_groups": 1, "chunk_size": 8},
    "mistral": _GROUPED,
    "olmo": _PLAIN,
    "olmo2": _PLAIN,
    "opt": {**_PLAIN, "ffn_dim": 48, "word_embed_proj_dim": 32},
    "phi": _PLAIN,
    "qwen2": _GROUPED,
    "qwen3": {**_GROUPED, "head_dim": 8},
    "recurrent_gemma": {**_PLAIN, "num_hidden_layers": 3, "num_key_value_heads": 1, "lru_width": 32, "attention_window_size": 16},
    "rwkv": {**_RECURRENT, "attention_hidden_size": 32, "context_length": 64},
    "xlstm": {**_RECURRENT, "hidden_size": 128, "num_heads": 2},
}
every_model = pytest.mark.parametrize("model_type", sorted(MODELS))


def make_model(model_type: str, *, dtype: torch.dtype = torch.float32) -> nn.Module:
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(AutoConfig.for_model(model_type, **MODELS[model_type]), dtype=dtype).eval()


def blocks(num_blocks: int = 3, num_tokens: int = 33) -> torch.Tensor:
    return torch.randint(3, VOCAB_SIZE, (num_blocks, num_tokens), generator=torch.Generator().manual_seed(1))


def float64_losses(model: nn.Module, block_BS: torch.Tensor) -> torch.Tensor:
    """From the model's own logits of every block, one by one."""
    losses = []
    for block in block_BS:
        with torch.no_grad():
            logits = model(block[None, :-1]).logits[0].double()
        losses.append(-torch.log_softmax(logits, dim=-1)[torch.arange(len(block) - 1), block[1:]])
    return torch.stack(losses)


@every_model
@pytest.mark.parametrize("tile", [(7, 5), (10**6, 10**6)])
def test_chunks_give_the_losses_of_the_models_own_logits(model_type, tile, monkeypatch):
    monkeypatch.setattr(token_losses, "TILE", {"cpu": tile})
    model, block_BS = make_model(model_type), blocks()
    losses = TokenLosses(model)
    given = losses(block_BS[:, :-1], block_BS[:, 1:])
    assert (losses.way, losses.reason) == ("chunks", None)
    torch.testing.assert_close(given.double(), float64_losses(model, block_BS), rtol=1e-5, atol=1e-5)


def test_no_more_logits_than_a_tile_of_them_are_ever_computed(monkeypatch):
    monkeypatch.setattr(token_losses, "TILE", {"cpu": (10, 6)})
    model, block_BS = make_model("gpt2"), blocks()
    losses = TokenLosses(model)
    expected = losses(block_BS[:, :-1], block_BS[:, 1:])
    seen = []

    def linear(*inputs):
        logits = functional.linear(*inputs)
        seen.append(logits.shape)
        return logits

    monkeypatch.setattr(token_losses, "functional", SimpleNamespace(linear=linear))
    handle = model.lm_head.register_forward_hook(lambda module, inputs, logits: seen.append(logits.shape))
    assert torch.equal(losses(block_BS[:, :-1], block_BS[:, 1:]), expected)
    handle.remove()
    assert max(shape.numel() for shape in seen) == 10 * 6
    assert model(block_BS).logits.shape == (*block_BS.shape, VOCAB_SIZE), "the head is as it was"


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("scale", [1.0, 300.0])
def test_tiles_give_the_cross_entropy_of_logits_of_any_size(dtype, scale, monkeypatch):
    monkeypatch.setattr(token_losses, "TILE", {"cpu": (10, 6)})
    model, block_BS = make_model("gpt2", dtype=dtype), blocks()
    with torch.no_grad():
        model.lm_head.weight.mul_(scale)
    losses = TokenLosses(model)
    given = losses(block_BS[:, :-1], block_BS[:, 1:])
    assert losses.way == "chunks"
    with torch.no_grad():
        logits = model(block_BS[:, :-1]).logits
    wanted = losses_of_logits(logits, block_BS[:, 1:])
    torch.testing.assert_close(
        given, wanted, rtol=1e-12 if dtype == torch.float64 else 1e-6, atol=1e-12 if dtype == torch.float64 else 2e-4
    )


def test_targets_may_stand_at_the_last_inputs_alone():
    model, block_BS = make_model("gpt2"), blocks()
    whole = TokenLosses(model)(block_BS[:, :-1], block_BS[:, 1:])
    torch.testing.assert_close(TokenLosses(model)(block_BS[:, :-1], block_BS[:, 1:][:, -5:]), whole[:, -5:])


def test_a_head_that_is_no_plain_linear_layer_goes_through_the_logits_and_says_so():
    model, block_BS = make_model("gpt2"), blocks()
    expected = float64_losses(model, block_BS)
    model.lm_head = nn.Sequential(model.lm_head)
    losses = TokenLosses(model)
    torch.testing.assert_close(losses(block_BS[:, :-1], block_BS[:, 1:]).double(), expected, rtol=1e-5, atol=1e-5)
    assert (losses.way, losses.reason) == ("logits", "its head is Sequential, not a plain linear layer")


def test_logits_that_are_changed_after_the_head_are_noticed():
    model, block_BS = make_model("gpt2"), blocks()
    forward = model.forward

    def warmer(*args, **kwargs):
        outputs = forward(*args, **kwargs)
        outputs.logits = outputs.logits * 0.5
        return outputs

    model.forward = warmer
    losses = TokenLosses(model)
    torch.testing.assert_close(losses(block_BS[:, :-1], block_BS[:, 1:]).double(), float64_losses(model, block_BS), rtol=1e-5, atol=1e-5)
    assert losses.way == "logits"
    assert re.fullmatch(r"its head alone does not give its logits \(losses differ by up to \S+ nats\)", losses.reason)


@pytest.mark.parametrize("model_type", ["gpt2", "gemma2", "ctxscale_lstm"])
def test_a_model_in_bfloat16_has_its_losses_taken_in_float32(model_type):
    model, block_BS = make_model(model_type, dtype=torch.bfloat16), blocks()
    losses = TokenLosses(model)
    given = losses(block_BS[:, :-1], block_BS[:, 1:])
    assert given.dtype == torch.float32
    with torch.no_grad():
        logits = model(block_BS[:, :-1]).logits.double()
    expected = -torch.log_softmax(logits, dim=-1).gather(2, block_BS[:, 1:, None])[..., 0]
    torch.testing.assert_close(given.double(), expected, rtol=0, atol=0.05)


def test_float64_stays_float64():
    model, block_BS = make_model("llama", dtype=torch.float64), blocks()
    given = TokenLosses(model)(block_BS[:, :-1], block_BS[:, 1:])
    assert given.dtype == torch.float64
    torch.testing.assert_close(given, float64_losses(model, block_BS), rtol=1e-10, atol=1e-10)


def test_a_model_without_logits_is_refused_in_words():
    model = AutoConfig.for_model("gpt2", **_GPT)
    from transformers import AutoModel

    base = AutoModel.from_config(model).eval()
    with pytest.raises(UserError, match="GPT2Model returned no logits; a causal LM returns one score per token id at every position"):
        TokenLosses(base)(blocks()[:, :-1], blocks()[:, 1:])
