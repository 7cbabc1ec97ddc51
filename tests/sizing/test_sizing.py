"""Parameter groups, FLOPs and matched sizes, for every architecture of the table."""

import math

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModelForCausalLM

from hf_ctxscale.architectures import TABLE, Shape
from hf_ctxscale.sizing.flops import forward_flops_per_token, six_nd_flops, train_flops_per_token
from hf_ctxscale.sizing.match import match_size
from hf_ctxscale.sizing.parameters import build_config, count_config, count_parameters
from hf_ctxscale.study import UserError

DEPTHS = [
    ("lstm", 1),
    ("lstm", 2),
    ("lstm", 4),
    ("lstm", 8),
    ("lstm_residual", 2),
    ("lstm_residual", 4),
    ("gpt2", 2),
    ("gpt2", 4),
    ("gpt2", None),
]


def _shape(architecture: str, *, num_layers: int = 2, width: int = 12) -> Shape:
    return Shape(num_layers, width, num_heads=3 if TABLE[architecture].has_heads else None)


@pytest.mark.parametrize("architecture", sorted(TABLE))
def test_parameter_groups_add_up_to_the_models_own_count(architecture):
    config = build_config(architecture, _shape(architecture), vocab_size=50, context_tokens=16)
    count = count_config(config)
    assert count.groups.total == AutoModelForCausalLM.from_config(config).num_parameters()
    assert count.groups.token_embedding == 50 * 12
    assert count.groups.output_head == 0  # tied: counted once, with the embedding
    assert count.head_weights == 50 * 12


def test_an_untied_head_is_a_group_of_its_own():
    config = build_config("lstm", _shape("lstm"), vocab_size=50, context_tokens=16)
    config.tie_word_embeddings = False
    groups = count_config(config).groups
    assert groups.output_head == 50 * 12
    assert groups.total == AutoModelForCausalLM.from_config(config).num_parameters()


def test_position_embeddings_are_no_body():
    groups = count_config(build_config("gpt2", _shape("gpt2"), vocab_size=50, context_tokens=16)).groups
    assert groups.position_embedding == 16 * 12


@pytest.mark.parametrize(("num_layers", "width"), [(1, 7), (2, 12), (4, 9)])
def test_lstm_body_is_the_formula_exactly(num_layers, width):
    shape = Shape(num_layers, width)
    body = count_config(build_config("lstm", shape, vocab_size=50, context_tokens=16)).groups.body
    assert body == TABLE["lstm"].formula_body_params(shape) == num_layers * (8 * width**2 + 8 * width)


def test_gpt2_body_is_the_formula_and_its_biases_and_norms():
    shape = _shape("gpt2")
    body = count_config(build_config("gpt2", shape, vocab_size=50, context_tokens=16)).groups.body
    assert TABLE["gpt2"].formula_body_params(shape) == 12 * 2 * 12**2
    assert body == 12 * 2 * 12**2 + 2 * 13 * 12 + 2 * 12


@pytest.mark.parametrize(("architecture", "num_layers"), DEPTHS)
@pytest.mark.parametrize("body_params", [25_000, 26_300, 76_000, 222_000, 400_000, 2_000_000, 3_000_000])
def test_sizes_are_met_within_three_percent_from_25k_up(architecture, num_layers, body_params):
    match = match_size(architecture, body_params=body_params, num_layers=num_layers, vocab_size=512, context_tokens=64)
    config = build_config(architecture, match.shape, vocab_size=512, context_tokens=64)
    exact = count_config(config).groups.body
    assert match.count.groups.body == exact
    assert match.mismatch == pytest.approx((exact - body_params) / body_params)
    assert abs(match.mismatch) < 0.03
    if num_layers is not None:
        assert match.shape.num_layers == num_layers
    if match.shape.num_heads is not None:
        assert match.shape.hidden_size % match.shape.num_heads == 0


def test_the_depth_rule_deepens_with_size_and_never_goes_under_two_layers_of_attention():
    depths = [
        match_size("gpt2", body_params=size, vocab_size=512, context_tokens=64).shape.num_layers for size in (25_000, 2_000_000, 40_000_000)
    ]
    assert depths[0] == 2
    assert depths == sorted(depths)
    assert depths[-1] > depths[0]


def test_a_size_that_cannot_be_met_names_the_nearest():
    with pytest.raises(UserError, match=r"body_params=100 cannot be met by 4 layer\(s\) of 'lstm': the nearest shape, width 1, has 64"):
        match_size("lstm", body_params=100, num_layers=4, vocab_size=512, context_tokens=64, tolerance=0.03)


@pytest.mark.parametrize("architecture", sorted(TABLE))
def test_forward_flops_are_what_a_counter_sees(architecture):
    shape, context_tokens = _shape(architecture, width=24), 16
    config = build_config(architecture, shape, vocab_size=50, context_tokens=context_tokens)
    config._attn_implementation = "eager"
    model = AutoModelForCausalLM.from_config(config)
    if config.model_type == "ctxscale_lstm":
        # The fused kernel hides its products from the counter: they are 2 operations per weight, token and matrix.
        lstm = sum(parameter.numel() for name, parameter in model.named_parameters() if "lstm.weight" in name)
        body = 2 * lstm
    else:
        body = 0
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(input_ids=torch.zeros(1, context_tokens, dtype=torch.long))
    counted = body + counter.get_total_flops() / context_tokens
    count = count_parameters(model)
    ours = forward_flops_per_token(architecture, shape, count, context_tokens=context_tokens)
    # The counter sees full attention, 4·T·width a layer; causal attention needs (T+1)/(2T) of it.
    full_attention = 4.0 * context_tokens * shape.hidden_size * shape.num_layers if TABLE[architecture].attention else 0.0
    causal_attention = full_attention * (context_tokens + 1) / (2 * context_tokens)
    assert ours == pytest.approx(counted - full_attention + causal_attention, rel=1e-6)
    assert train_flops_per_token(architecture, shape, count, context_tokens=context_tokens) == 3 * ours


def test_six_nd_is_six_n_d():
    assert six_nd_flops(1000, train_tokens=10**6) == 6e9
    assert math.isclose(six_nd_flops(26_000, train_tokens=6_000_000), 9.36e11)
