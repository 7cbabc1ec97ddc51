"""Bad input to the LSTM: a sentence each, saying what was given, what is allowed and what to do."""

import re

import pytest
import torch
from huggingface_hub.errors import StrictDataclassError

from hf_ctxscale.models import LSTMConfig, LSTMForCausalLM, LSTMModel, LSTMState

IDS = torch.tensor([[1, 2, 3], [4, 5, 6]])


def make_model() -> LSTMForCausalLM:
    return LSTMForCausalLM(LSTMConfig(vocab_size=11, hidden_size=6, num_hidden_layers=2))


def state_of(layers: int = 2, rows: int = 2, width: int = 6, device: str = "cpu") -> LSTMState:
    return LSTMState(hidden=torch.zeros(layers, rows, width, device=device), cell=torch.zeros(layers, rows, width, device=device))


BAD_INPUTS = {
    "empty sequence": ({"input_ids": IDS[:, :0]}, "input_ids has shape (2, 0): an empty sequence; give at least one token."),
    "empty batch": ({"input_ids": IDS[:0]}, "input_ids has shape (0, 3): an empty batch; give at least one token."),
    "empty embeds": (
        {"inputs_embeds": torch.zeros(2, 0, 6)},
        "inputs_embeds has shape (2, 0, 6): an empty sequence; give at least one token.",
    ),
    "no batch": ({"input_ids": IDS[0]}, "input_ids has shape (3,); give (sequences, tokens)."),
    "narrow embeds": ({"inputs_embeds": torch.zeros(2, 3, 5)}, "inputs_embeds has shape (2, 3, 5); give (sequences, tokens, 6)."),
    "nothing": ({}, "neither of input_ids and inputs_embeds given; give exactly one."),
    "both": ({"input_ids": IDS, "inputs_embeds": torch.zeros(2, 3, 6)}, "both of input_ids and inputs_embeds given; give exactly one."),
    "id too large": (
        {"input_ids": IDS + 6},
        "input_ids holds 12, but the vocabulary has the ids 0 to 10; use the model's own tokenizer, or resize_token_embeddings.",
    ),
    "negative id": ({"input_ids": IDS - 2}, "input_ids holds -1, but the vocabulary has the ids 0 to 10; use the model's own tokenizer"),
    "long mask": (
        {"input_ids": IDS, "attention_mask": torch.ones(2, 5)},
        "attention_mask has shape (2, 5), but the tokens of this call have (2, 3); give one value for every token of this call (those before "
        "cache_params are not counted).",
    ),
    "mask of four dimensions": (
        {"input_ids": IDS, "attention_mask": torch.ones(2, 1, 3, 3)},
        "attention_mask has shape (2, 1, 3, 3), but the tokens of this call have (2, 3)",
    ),
    "state of another batch": (
        {"input_ids": IDS, "cache_params": state_of(rows=3)},
        "cache_params.hidden has shape (2, 3, 6), but this model and batch need (2, 2, 6) (layers, sequences, width); pass the state that this "
        "model returned for these sequences.",
    ),
    "state of another width": (
        {"input_ids": IDS, "cache_params": state_of(width=7)},
        "cache_params.hidden has shape (2, 2, 7), but this model and batch need (2, 2, 6)",
    ),
    "state of another depth": (
        {"input_ids": IDS, "cache_params": state_of(layers=1)},
        "cache_params.hidden has shape (1, 2, 6), but this model and batch need (2, 2, 6)",
    ),
    "cells of another width": (
        {"input_ids": IDS, "cache_params": LSTMState(hidden=torch.zeros(2, 2, 6), cell=torch.zeros(2, 2, 7))},
        "cache_params.cell has shape (2, 2, 7), but this model and batch need (2, 2, 6)",
    ),
    "state on another device": (
        {"input_ids": IDS, "cache_params": state_of(device="meta")},
        "cache_params.hidden is on meta, but the tokens are on cpu; move one to the other.",
    ),
    "half a state": (
        {"input_ids": IDS, "cache_params": LSTMState(hidden=torch.zeros(2, 2, 6))},
        "cache_params is LSTMState without hidden and cell; pass the LSTMState that a call of this model returned.",
    ),
    "no state": ({"input_ids": IDS, "cache_params": (1, 2)}, "cache_params is tuple without hidden and cell; pass the LSTMState"),
    "keys and values": (
        {"input_ids": IDS, "past_key_values": (1, 2)},
        "past_key_values was given, but an LSTM keeps no keys and values; pass the state that a call or generate() returned as cache_params.",
    ),
    "a state by another name": ({"input_ids": IDS, "state": state_of()}, "a state was given as state; pass it as cache_params."),
    "rows that hold several sequences": (
        {"input_ids": IDS, "position_ids": torch.tensor([[0, 1, 0]])},
        "several sequences were packed into one row, through which the state would run on; pad them into rows of their own instead.",
    ),
    "sequence indices": ({"input_ids": IDS, "seq_idx": torch.tensor([[0, 0, 1]])}, "several sequences were packed into one row"),
    "ids that are no whole numbers": (
        {"input_ids": IDS.float()},
        "input_ids is a tensor of torch.float32; give a tensor of whole numbers.",
    ),
    "a list of ids": ({"input_ids": [[1, 2]]}, "input_ids is list; give a tensor of whole numbers."),
    "whole numbers as embeds": (
        {"inputs_embeds": IDS},
        "inputs_embeds is a tensor of torch.int64; give a tensor of floating-point numbers.",
    ),
}


@pytest.mark.parametrize(("inputs", "words"), BAD_INPUTS.values(), ids=BAD_INPUTS.keys())
def test_bad_input_is_refused_in_words(inputs, words):
    for model in (make_model(), make_model().model):
        with pytest.raises(ValueError, match=re.escape(words)):
            model(**inputs)


BAD_CONFIGS = [
    ({"hidden_size": 0}, "hidden_size=0 is not positive; give at least 1."),
    ({"hidden_size": -3}, "hidden_size=-3 is not positive; give at least 1."),
    ({"vocab_size": -1}, "vocab_size=-1 is not positive; give at least 1."),
    ({"embedding_size": -1}, "embedding_size=-1 is not positive; give at least 1."),
    ({"num_hidden_layers": 0}, "num_hidden_layers=0 is not positive; give at least 1."),
    ({"proj_size": 0}, "proj_size=0 is not positive; give at least 1."),
    ({"proj_size": 256}, "proj_size=256 is not smaller than hidden_size=256; give a smaller one, or None for no projection."),
    ({"dropout": 1.0}, "dropout=1.0 is not a probability below 1; give a value in [0, 1)."),
    ({"dropout": -0.1}, "dropout=-0.1 is not a probability below 1; give a value in [0, 1)."),
    ({"initializer_range": -1.0}, "initializer_range=-1.0 is not a finite number of at least 0; give one."),
    ({"input_gain": float("nan")}, "input_gain=nan is not a finite number of at least 0; give one."),
    ({"layer_norm_eps": -1.0}, "layer_norm_eps=-1.0 is not a finite number of at least 0; give one."),
    ({"hidden_size": "wide"}, "hidden_size"),
    ({"residual": "yes"}, "residual"),
]


@pytest.mark.parametrize(("fields", "words"), BAD_CONFIGS)
def test_a_config_that_cannot_be_is_refused_in_words(fields, words):
    with pytest.raises(StrictDataclassError, match=re.escape(words)):
        LSTMConfig(**fields)


def test_a_loss_of_some_positions_is_refused_in_words():
    for settings in ({}, {"return_logits": False}):
        with pytest.raises(
            ValueError, match=r"labels were given with logits_to_keep, but a loss needs every position; leave one of them out\."
        ):
            make_model()(IDS, labels=IDS, logits_to_keep=2, **settings)


def test_positions_that_only_go_up_are_no_packed_rows():
    model = make_model().eval()
    assert torch.equal(model(IDS, position_ids=torch.tensor([[3, 4, 5]])).logits, model(IDS).logits)
    assert torch.equal(model(IDS, position_ids=torch.zeros(2, 3), attention_mask=torch.ones(2, 3)).logits, model(IDS).logits)


def test_a_width_given_later_takes_the_embedding_with_it(tmp_path):
    LSTMConfig(hidden_size=64).save_pretrained(tmp_path)
    assert LSTMConfig.from_pretrained(tmp_path, hidden_size=256).input_size == 256


def test_default_settings_are_those_of_the_plain_lstm():
    config = LSTMConfig()
    assert (config.input_size, config.output_size, config.head_size) == (256, 256, 256)
    assert (config.proj_size, config.residual, config.layer_norm, config.dropout, config.tie_word_embeddings) == (
        None,
        False,
        False,
        0.0,
        True,
    )
    model = LSTMModel(LSTMConfig(vocab_size=11))
    assert {name.split(".")[0] for name, _ in model.named_parameters()} == {"embed_tokens", "lstm"}


@pytest.mark.parametrize(
    ("fields", "head_size", "has_projection"),
    [
        ({"embedding_size": 4}, 4, True),
        ({"embedding_size": 4, "tie_word_embeddings": False}, 6, False),
        ({"proj_size": 3}, 3, False),  # the embedding follows the layers' output
        ({"proj_size": 3, "embedding_size": 6}, 6, True),
    ],
)
def test_a_projection_stands_before_a_tied_head_of_another_width_only(fields, head_size, has_projection):
    model = LSTMForCausalLM(LSTMConfig(vocab_size=11, hidden_size=6, **fields))
    assert model.lm_head.in_features == head_size
    assert (model.model.output_projection is not None) == has_projection
    assert model(IDS).logits.shape == (2, 3, 11)
