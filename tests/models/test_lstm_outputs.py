"""What goes into the LSTM and comes out of it in every form that transformers knows, and gradient checkpointing."""

import pytest
import torch
from torch import nn

from hf_ctxscale.models import LSTMForCausalLM
from hf_ctxscale.models.lstm.stack_lstm import LSTMStack
from tests.models.small_models import SHAPES, every_shape, make_model, padded, some_ids

# What goes in and comes out


@every_shape
def test_inputs_embeds_equal_the_ids_that_they_embed(shape):
    model = make_model(shape)
    ids = some_ids()
    embeds = model.get_input_embeddings()(ids)
    assert torch.equal(model(inputs_embeds=embeds).logits, model(ids).logits)
    mask = padded(ids)
    assert torch.equal(model(inputs_embeds=embeds, attention_mask=mask).logits, model(ids, attention_mask=mask).logits)
    settings = {"max_new_tokens": 6, "do_sample": False, "pad_token_id": 0, "eos_token_id": None}
    assert torch.equal(model.generate(inputs_embeds=embeds, **settings), model.generate(ids, **settings)[:, ids.shape[1] :])


@every_shape
@pytest.mark.parametrize("through", ["argument", "config"])
def test_without_return_dict_the_same_tensors_come_in_a_tuple(shape, through):
    model = make_model(shape)
    ids = some_ids()
    settings = {"labels": ids, "use_cache": True, "output_hidden_states": True}
    expected = model(ids, **settings)
    body = model.model(ids, use_cache=True)
    if through == "config":
        model.config.return_dict = False
        given, given_body = model(ids, **settings), model.model(ids, use_cache=True)
    else:
        given, given_body = model(ids, **settings, return_dict=False), model.model(ids, use_cache=True, return_dict=False)

    assert type(given) is tuple
    loss, logits, state, hidden_states = given
    assert torch.equal(loss, expected.loss)
    assert torch.equal(logits, expected.logits)
    assert torch.equal(state.hidden, expected.cache_params.hidden)
    assert torch.equal(state.cell, expected.cache_params.cell)
    assert all(torch.equal(one, other) for one, other in zip(hidden_states, expected.hidden_states, strict=True))
    assert type(given_body) is tuple
    assert torch.equal(given_body[0], body.last_hidden_state)
    assert torch.equal(given_body[1].hidden, body.cache_params.hidden)


@every_shape
@pytest.mark.parametrize("through", ["argument", "config"])
def test_hidden_states_come_for_every_layer_and_end_with_the_last(shape, through):
    model = make_model(shape)
    ids = some_ids()
    assert model(ids).hidden_states is None
    if through == "config":
        model.config.output_hidden_states = True
    argument = {"output_hidden_states": True} if through == "argument" else {}
    for mask in (None, padded(ids)):
        body = model.model(ids, attention_mask=mask, **argument)
        assert len(body.hidden_states) == model.config.num_hidden_layers + 1
        assert body.hidden_states[-1] is body.last_hidden_state
        whole = model(ids, attention_mask=mask, **argument)
        assert all(torch.equal(one, other) for one, other in zip(whole.hidden_states, body.hidden_states, strict=True))
        torch.testing.assert_close(whole.logits, model(ids, attention_mask=mask, output_hidden_states=False).logits, rtol=1e-5, atol=1e-5)
    assert torch.equal(model.model(ids, **argument).hidden_states[0], model.get_input_embeddings()(ids))
    assert model(ids, output_hidden_states=False).hidden_states is None


# Gradient checkpointing


@pytest.fixture
def stack_calls(monkeypatch) -> list[int | None]:
    """The layer of every call of the kernels."""
    calls = []
    forward = LSTMStack.forward

    def counted(self, *arguments, **settings):
        calls.append(settings.get("layer"))
        return forward(self, *arguments, **settings)

    monkeypatch.setattr(LSTMStack, "forward", counted)
    return calls


def loss_and_gradients(model: LSTMForCausalLM, **inputs) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Of one training step through logits, from a fixed seed."""
    model.zero_grad()
    torch.manual_seed(2)
    outputs = model(**inputs)
    # Logits in float64 all the way, where the model's own loss would go through float32.
    loss = nn.functional.cross_entropy(outputs.logits[:, :-1].flatten(0, 1), inputs["input_ids"][:, 1:].flatten())
    loss.backward()
    return loss.detach(), {name: parameter.grad.clone() for name, parameter in model.named_parameters() if parameter.requires_grad}


def assert_close_gradients(actual: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert actual.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(actual[name], gradient, rtol=1e-10, atol=1e-13, msg=lambda words, name=name: f"{name}: {words}")


# TODO(transformers>=6): there these methods are called activation_checkpointing_.
ignore_old_name = pytest.mark.filterwarnings(
    "ignore:.*_gradient_checkpointing.*is deprecated", "ignore:.*gradient_checkpointing_.*is deprecated"
)


@ignore_old_name
@every_shape
@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("use_reentrant", [True, False])
@pytest.mark.parametrize("is_padded", [False, True], ids=["dense", "padded"])
def test_checkpointing_changes_neither_loss_nor_gradients(shape, dropout, use_reentrant, is_padded, stack_calls):
    model = make_model(shape, dropout=dropout).double().train()
    ids = some_ids()
    inputs = {"input_ids": ids, "attention_mask": padded(ids) if is_padded else None}
    # The fused stack draws the masks between its layers in another order, so that both runs go layer by layer.
    inputs["output_hidden_states"] = dropout > 0
    loss, gradients = loss_and_gradients(model, **inputs)
    stack_calls.clear()

    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": use_reentrant})
    assert model.is_gradient_checkpointing
    checkpointed_loss, checkpointed = loss_and_gradients(model, **inputs)
    layers = list(range(model.config.num_hidden_layers))
    assert stack_calls == layers + layers[::-1]  # forward, and once more for the backward pass
    torch.testing.assert_close(checkpointed_loss, loss, rtol=1e-13, atol=1e-14)
    assert_close_gradients(checkpointed, gradients)

    model.gradient_checkpointing_disable()
    stack_calls.clear()
    loss_and_gradients(model, **inputs)
    assert len(stack_calls) <= len(layers)


@ignore_old_name
@pytest.mark.parametrize("use_reentrant", [True, False])
def test_a_frozen_embedding_leaves_the_layers_their_gradients_under_checkpointing(use_reentrant):
    model = make_model(SHAPES["untied head"]).double().train()
    model.model.embed_tokens.requires_grad_(False)
    model.enable_input_require_grads()
    _, expected = loss_and_gradients(model, input_ids=some_ids())
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": use_reentrant})
    _, checkpointed = loss_and_gradients(model, input_ids=some_ids())
    assert_close_gradients(checkpointed, expected)


def test_an_output_is_made_from_a_dict_of_its_fields_as_accelerate_does():
    whole = make_model()(some_ids(), labels=some_ids())
    again = type(whole)(dict(whole.items()))
    assert list(again) == list(whole) == ["loss", "logits", "cache_params"]
    assert again.logits is whole.logits
    assert again.hidden_states is None
    assert again["cache_params"] is again.cache_params is whole.cache_params
