"""The LSTM as a causal language model: losses, initial weights, ties, dropout, what a call returns."""

import pytest
import torch
from torch.nn import functional

from hf_ctxscale.models import LSTMConfig, LSTMForCausalLM, LSTMModel


def _model(**fields) -> LSTMForCausalLM:
    torch.manual_seed(0)
    return LSTMForCausalLM(LSTMConfig(vocab_size=11, **fields))


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


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("sizes", [{}, {"embedding_size": 40}, {"proj_size": 30}])
def test_a_norm_before_the_head_makes_logits_of_one_standard_deviation(tied, sizes):
    torch.manual_seed(0)
    fields = {"hidden_size": 64, "num_hidden_layers": 2, "residual": True, "layer_norm": True, "tie_word_embeddings": tied, **sizes}
    model = LSTMForCausalLM(LSTMConfig(vocab_size=2000, **fields))
    assert model(torch.randint(2000, (4, 20))).logits.std().item() == pytest.approx(1.0, rel=0.1)


def test_initial_weights_follow_the_seed():
    first, second = (_model(hidden_size=6).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    torch.manual_seed(1)
    other = LSTMForCausalLM(LSTMConfig(vocab_size=11, hidden_size=6)).state_dict()
    assert not torch.equal(first["model.lstm.weight_hh_l0"], other["model.lstm.weight_hh_l0"])


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


def test_logits_to_keep_computes_no_others():
    model = _model(hidden_size=6).eval()
    text = torch.randint(11, (2, 7))
    logits = model(text).logits
    torch.testing.assert_close(model(text, logits_to_keep=2).logits, logits[:, -2:])
    torch.testing.assert_close(model(text, logits_to_keep=torch.tensor([0, 4])).logits, logits[:, [0, 4]])


def test_hidden_states_are_the_embedding_and_what_every_layer_gives():
    model = _model(hidden_size=6, num_hidden_layers=3, embedding_size=4).eval()
    text = torch.randint(11, (2, 7))
    outputs = model(text, output_hidden_states=True)
    x = model.get_input_embeddings()(text)
    assert torch.equal(outputs.hidden_states[0], x)
    for layer in range(2):
        x, _ = model.model.lstm(x, (torch.zeros(1, 2, 6), torch.zeros(1, 2, 6)), layer=layer)
        assert torch.equal(outputs.hidden_states[layer + 1], x)
    assert len(outputs.hidden_states) == 4
    assert torch.equal(outputs.hidden_states[-1], model.model(text).last_hidden_state)
    assert torch.equal(outputs.logits, model(text).logits)


def test_a_state_is_returned_outside_of_training_or_to_who_passed_one():
    model, text = _model(hidden_size=6), torch.randint(11, (2, 7))
    assert model.train()(text).cache_params is None
    state = model.eval()(text).cache_params
    assert state is not None
    assert model(text, use_cache=False).cache_params is None
    assert model.train()(text, cache_params=state).cache_params is not None
    assert model(text, cache_params=state, use_cache=False).cache_params is None


@pytest.mark.parametrize("way", ["fused", "layer by layer"])
def test_dropout_falls_on_the_embedding_between_layers_and_on_the_output(way):
    model = _model(hidden_size=64, num_hidden_layers=2, dropout=0.5).train()
    torch.manual_seed(0)
    outputs = model.model(torch.randint(11, (4, 50)), output_hidden_states=way == "layer by layer")
    assert (outputs.last_hidden_state == 0).float().mean().item() == pytest.approx(0.5, abs=0.02)
    if way == "layer by layer":
        for hidden in outputs.hidden_states:
            assert (hidden == 0).float().mean().item() == pytest.approx(0.5, abs=0.02)
