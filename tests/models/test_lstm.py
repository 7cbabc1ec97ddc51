"""The LSTM against a plain loop, its initial weights, and its life as a transformers model."""

import copy

import pytest
import torch
from torch.nn import functional
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM

import hf_ctxscale.models  # noqa: F401
from hf_ctxscale.models import LSTMConfig, LSTMForCausalLM, LSTMModel

SHAPES = [
    {"hidden_size": 6, "num_hidden_layers": 1},
    {"hidden_size": 6, "num_hidden_layers": 3},
    {"hidden_size": 6, "num_hidden_layers": 2, "embedding_size": 8},
    {"hidden_size": 6, "num_hidden_layers": 2, "tie_word_embeddings": False},
]


def _model(**fields) -> LSTMForCausalLM:
    torch.manual_seed(0)
    return LSTMForCausalLM(LSTMConfig(vocab_size=11, **fields))


def _plain_logits(model: LSTMForCausalLM, input_ids: torch.Tensor) -> torch.Tensor:
    """The equations of Hochreiter & Schmidhuber with forget gates, one time step after another."""
    config, lstm = model.config, model.model.lstm
    batch, num_steps = input_ids.shape
    inputs = [model.model.embed_tokens.weight[input_ids[:, t]] for t in range(num_steps)]
    for layer in range(config.num_hidden_layers):
        w_ih, w_hh, b_ih, b_hh = (getattr(lstm, f"{name}_l{layer}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
        hidden = torch.zeros(batch, config.hidden_size, dtype=w_ih.dtype)
        cell = torch.zeros_like(hidden)
        outputs = []
        for x in inputs:
            i, f, g, o = (x @ w_ih.T + b_ih + hidden @ w_hh.T + b_hh).chunk(4, dim=1)
            cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
            hidden = torch.sigmoid(o) * torch.tanh(cell)
            outputs.append(hidden)
        inputs = outputs
    stacked = torch.stack(inputs, dim=1)
    if model.model.output_projection is not None:
        stacked = stacked @ model.model.output_projection.weight.T
    return stacked @ model.lm_head.weight.T


@pytest.mark.parametrize("fields", SHAPES)
def test_lstm_matches_a_plain_loop_with_gradients(fields):
    model = _model(**fields).double()
    plain = copy.deepcopy(model)
    input_ids = torch.randint(11, (3, 7))
    targets = torch.randint(11, (3, 7))

    logits = model(input_ids=input_ids).logits
    loss = functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
    expected = functional.cross_entropy(_plain_logits(plain, input_ids).flatten(0, 1), targets.flatten())
    loss.backward()
    expected.backward()

    torch.testing.assert_close(loss, expected, rtol=1e-12, atol=1e-12)
    gradients = dict(plain.named_parameters())
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, gradients[name].grad, rtol=1e-9, atol=1e-12, msg=name)


def test_labels_alone_are_shifted_inside_and_shift_labels_are_not():
    model = _model(hidden_size=6)
    block = torch.randint(11, (2, 9))
    logits = model(input_ids=block).logits
    inside = model(input_ids=block, labels=block).loss
    torch.testing.assert_close(inside, functional.cross_entropy(logits[:, :-1].flatten(0, 1), block[:, 1:].flatten()))
    targets = block[:, 1:].contiguous()
    outside = model(input_ids=block[:, :-1], labels=targets, shift_labels=targets).loss
    torch.testing.assert_close(outside, inside)


def test_loss_is_normalised_by_num_items_in_batch_under_accumulation():
    model = _model(hidden_size=6)
    block = torch.randint(11, (4, 9))
    targets = block[:, 1:].contiguous()
    whole = model(input_ids=block[:, :-1], labels=targets, shift_labels=targets).loss
    parts = [
        model(input_ids=block[rows, :-1], labels=targets[rows], shift_labels=targets[rows], num_items_in_batch=targets.numel()).loss
        for rows in (slice(0, 1), slice(1, 4))
    ]
    torch.testing.assert_close(sum(parts), whole)


def test_a_prediction_never_depends_on_later_tokens():
    model = _model(hidden_size=6, num_hidden_layers=2).eval()
    first = torch.randint(11, (1, 8))
    second = first.clone()
    second[0, 5:] = (second[0, 5:] + 1) % 11
    torch.testing.assert_close(model(first).logits[:, :5], model(second).logits[:, :5], rtol=0, atol=0)


def test_initial_weights_are_what_the_docstring_says():
    torch.manual_seed(0)
    model = LSTMModel(LSTMConfig(vocab_size=2000, hidden_size=64, num_hidden_layers=2))
    lstm = model.lstm
    assert model.embed_tokens.weight.std().item() == pytest.approx(1.0, rel=0.02)
    for layer in range(2):
        assert getattr(lstm, f"weight_ih_l{layer}").std().item() == pytest.approx(2 / 8, rel=0.05)
        for gate in getattr(lstm, f"weight_hh_l{layer}").split(64):
            torch.testing.assert_close(gate @ gate.T, torch.eye(64), rtol=0, atol=1e-5)
        bias = getattr(lstm, f"bias_ih_l{layer}") + getattr(lstm, f"bias_hh_l{layer}")
        expected = torch.zeros(4, 64)
        expected[1] = 1.0  # the forget gates
        torch.testing.assert_close(bias, expected.flatten(), rtol=0, atol=0)


def test_initial_weights_follow_the_seed():
    first, second = (_model(hidden_size=6).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    torch.manual_seed(1)
    other = LSTMForCausalLM(LSTMConfig(vocab_size=11, hidden_size=6)).state_dict()
    assert not torch.equal(first["model.lstm.weight_hh_l0"], other["model.lstm.weight_hh_l0"])


@pytest.mark.parametrize("fields", SHAPES)
def test_a_saved_model_loads_through_the_auto_classes_with_equal_logits(fields, tmp_path):
    model = _model(**fields).eval()
    model.save_pretrained(tmp_path)
    assert isinstance(AutoConfig.from_pretrained(tmp_path), LSTMConfig)
    assert isinstance(AutoModel.from_pretrained(tmp_path), LSTMModel)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert isinstance(loaded, LSTMForCausalLM)
    input_ids = torch.randint(11, (2, 5))
    assert torch.equal(loaded(input_ids).logits, model(input_ids).logits)


def test_the_head_is_tied_unless_told_otherwise():
    tied = _model(hidden_size=6)
    assert tied.lm_head.weight is tied.model.embed_tokens.weight
    free = _model(hidden_size=6, tie_word_embeddings=False)
    assert free.lm_head.weight is not free.model.embed_tokens.weight


def test_dropout_acts_in_training_only():
    model = _model(hidden_size=6, num_hidden_layers=2, dropout=0.5)
    input_ids = torch.randint(11, (2, 5))
    model.train()
    assert not torch.equal(model(input_ids).logits, model(input_ids).logits)
    model.eval()
    assert torch.equal(model(input_ids).logits, model(input_ids).logits)


def test_greedy_generation_takes_the_likeliest_token_each_time():
    model = _model(hidden_size=6).eval()
    text = torch.randint(1, 11, (1, 3))
    generated = model.generate(text, max_new_tokens=4, do_sample=False, pad_token_id=0)
    for _ in range(4):
        text = torch.cat([text, model(text).logits[:, -1].argmax(-1, keepdim=True)], dim=1)
    assert generated.tolist() == text.tolist()


def test_right_padding_changes_nothing_and_left_padding_is_refused():
    model = _model(hidden_size=6).eval()
    input_ids = torch.randint(11, (1, 6))
    mask = torch.tensor([[1, 1, 1, 1, 0, 0]])
    torch.testing.assert_close(model(input_ids, attention_mask=mask).logits[:, :4], model(input_ids[:, :4]).logits)
    with pytest.raises(ValueError, match="right padding only"):
        model(input_ids, attention_mask=mask.flip(1))


@pytest.mark.parametrize(("fields", "words"), [({"hidden_size": 0}, "hidden_size=0 is not positive"), ({"dropout": 1.0}, "dropout=1.0")])
def test_a_config_that_cannot_be_is_refused(fields, words):
    with pytest.raises(Exception, match=words):
        LSTMConfig(**fields)
