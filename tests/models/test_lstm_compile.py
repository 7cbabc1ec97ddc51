"""torch.compile and torch.export of the LSTM: what works, and what torch itself refuses."""

import logging
import shutil

import pytest
import torch
from torch import nn
from torch.export import Dim, export

from hf_ctxscale.models import LSTMForCausalLM, LSTMState
from tests.models.small_models import SHAPES, every_shape, make_model, padded, some_ids

# torch.compile


@pytest.fixture
def fresh_dynamo():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def inputs_of(way: str) -> dict[str, torch.Tensor]:
    ids = some_ids()
    return {"input_ids": ids, **{"dense": {}, "mask": {"attention_mask": padded(ids)}, "loss": {"labels": ids}}[way]}


def assert_compiled_equals_eager(model: LSTMForCausalLM, compiled, inputs: dict[str, torch.Tensor]) -> None:
    expected, given = model(**inputs), compiled(**inputs)
    torch.testing.assert_close(given.logits, expected.logits, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(given.cache_params.cell, expected.cache_params.cell, rtol=1e-5, atol=1e-5)
    if "labels" in inputs:
        expected.loss.backward()
        gradients = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
        model.zero_grad()
        given.loss.backward()
        torch.testing.assert_close(given.loss, expected.loss, rtol=1e-5, atol=1e-5)
        for name, parameter in model.named_parameters():
            torch.testing.assert_close(parameter.grad, gradients[name], rtol=1e-4, atol=1e-5)


@pytest.mark.usefixtures("fresh_dynamo")
@pytest.mark.parametrize(
    ("shape", "way"), [("plain", "dense"), ("plain", "loss"), ("residual and norm", "mask"), ("residual and norm", "loss")]
)
def test_a_compiled_model_equals_the_eager_one(shape, way):
    model = make_model(SHAPES[shape])
    assert_compiled_equals_eager(model, torch.compile(model, backend="aot_eager"), inputs_of(way))


@pytest.mark.usefixtures("fresh_dynamo")
def test_a_compiled_model_equals_the_eager_one_through_inductor():
    assert any(shutil.which(name) for name in ("g++", "clang++")), "inductor needs a C++ compiler; install g++."
    model = make_model(SHAPES["residual and norm"])
    # Without gradients and masks: with an empty cache the compiler takes many seconds for every kernel.
    with torch.no_grad():
        assert_compiled_equals_eager(model, torch.compile(model), inputs_of("dense"))


@pytest.mark.usefixtures("fresh_dynamo")
def test_one_graph_without_breaks_needs_torchs_experimental_setting():
    model = make_model()
    with pytest.raises(torch._dynamo.exc.Unsupported, match="Dynamo does not support RNN, GRU, or LSTM"):
        torch.compile(model, backend="eager", fullgraph=True)(**inputs_of("dense"))
    torch._dynamo.reset()
    with torch._dynamo.config.patch(allow_rnn=True):
        for way in ("dense", "mask"):
            assert_compiled_equals_eager(model, torch.compile(model, backend="eager", fullgraph=True), inputs_of(way))


# torch.export

# torch says so of every nn.LSTM, whose list of weights is filled while tracing, and puts it back.
ignore_flat_weights = pytest.mark.filterwarnings("ignore:The tensor attributes .*_flat_weights:UserWarning")
EXPORTS = ["dense", "mask", "state", "mask and state", "hidden states"]


def export_inputs(model: LSTMForCausalLM, way: str, *, rows: int = 3, tokens: int = 7) -> dict:
    ids = some_ids(rows, tokens)
    inputs = {"input_ids": ids, "use_cache": True}
    if "mask" in way:
        inputs["attention_mask"] = padded(ids)
    if way in ("state", "mask and state"):
        inputs["cache_params"] = model(some_ids(rows, 4), use_cache=True).cache_params
    if way == "hidden states":
        inputs["output_hidden_states"] = True
    return inputs


def dynamic_shapes(inputs: dict, dimension: int) -> dict:
    """One dimension of the tokens (0: sequences, 1: their length) dynamic, in every input that has it."""
    shapes = {name: {dimension: Dim.DYNAMIC} if isinstance(value, torch.Tensor) else None for name, value in inputs.items()}
    if "cache_params" in inputs:
        # Hidden and cell state: (layers, sequences, width).
        shapes["cache_params"] = [{1: Dim.DYNAMIC}] * 2 if dimension == 0 else [None, None]
    return shapes


def assert_exported_equals_eager(model: LSTMForCausalLM, program, inputs: dict) -> None:
    expected, given = model(**inputs), program.module()(**inputs)
    assert type(given) is type(expected)
    assert type(given.cache_params) is LSTMState
    torch.testing.assert_close(given.logits, expected.logits, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(given.cache_params.hidden, expected.cache_params.hidden, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(given.cache_params.cell, expected.cache_params.cell, rtol=1e-6, atol=1e-6)
    if expected.hidden_states is not None:
        for one, other in zip(given.hidden_states, expected.hidden_states, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-6)


@ignore_flat_weights
@pytest.mark.parametrize(
    ("name", "way", "strict"),
    [
        *((name, way, False) for name in SHAPES for way in ("dense", "mask and state")),
        *(("residual and norm", way, strict) for way in ("mask", "state", "hidden states") for strict in (False, True)),
        *((name, "mask and state", True) for name in ("plain", "residual and norm")),
    ],
)
@torch.no_grad()
def test_a_forward_pass_exports_with_options_masks_and_state(name, way, strict):
    model = make_model(SHAPES[name])
    inputs = export_inputs(model, way)
    program = export(model, (), inputs, strict=strict)
    assert_exported_equals_eager(model, program, inputs)
    if "mask" in way:
        # Where the padding lies is no part of what was exported.
        assert_exported_equals_eager(model, program, {**inputs, "attention_mask": inputs["attention_mask"].flip(1)})


@ignore_flat_weights
@pytest.mark.parametrize(("way", "strict"), [*((way, False) for way in EXPORTS), ("mask and state", True)])
@torch.no_grad()
def test_the_number_of_sequences_can_be_exported_as_dynamic(way, strict):
    model = make_model(SHAPES["residual and norm"])
    inputs = export_inputs(model, way)
    program = export(model, (), inputs, dynamic_shapes=dynamic_shapes(inputs, 0), strict=strict)
    for rows in (1, 2, 5):
        assert_exported_equals_eager(model, program, export_inputs(model, way, rows=rows))


@ignore_flat_weights
@pytest.mark.parametrize(("way", "strict"), [*((way, False) for way in EXPORTS), ("dense", True)])
@torch.no_grad()
def test_the_length_cannot_be_exported_as_dynamic_since_torch_unrolls_its_lstm(way, strict):
    model = make_model()
    inputs = export_inputs(model, way)
    with pytest.raises(torch._dynamo.exc.UserError, match=r"size\(\)\[1\] as dynamic but your code specialized it to be a constant \(7\)"):
        export(model, (), inputs, dynamic_shapes=dynamic_shapes(inputs, 1), strict=strict)
    # Not the model's doing: torch's own LSTM alone says the same.
    with pytest.raises(torch._dynamo.exc.UserError, match="specialized it to be a constant"):
        export(nn.LSTM(4, 6, batch_first=True), (torch.zeros(3, 7, 4),), dynamic_shapes=({1: Dim.DYNAMIC},), strict=strict)


@ignore_flat_weights
@every_shape
@torch.no_grad()
def test_an_exported_step_with_its_state_reads_a_text_of_any_length(shape, tmp_path, monkeypatch):
    # torch warns there that it loads the example inputs with pickle, in a warning whose own format string is broken.
    monkeypatch.setattr(logging.getLogger("torch._export.serde.serialize"), "disabled", True)
    model = make_model(shape)
    ids = some_ids(tokens=9)
    state = LSTMState(
        hidden=torch.zeros(model.config.num_hidden_layers, 3, model.config.output_size),
        cell=torch.zeros(model.config.num_hidden_layers, 3, model.config.hidden_size),
    )
    program = export(model, (), {"input_ids": ids[:, :1], "cache_params": state, "use_cache": True})
    torch.export.save(program, tmp_path / "step.pt2")
    step = torch.export.load(tmp_path / "step.pt2").module()
    logits = []
    for token in ids.split(1, dim=1):
        outputs = step(input_ids=token, cache_params=state, use_cache=True)
        state = outputs.cache_params
        logits.append(outputs.logits)
    expected = model(ids, use_cache=True)
    torch.testing.assert_close(torch.cat(logits, dim=1), expected.logits, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(state.cell, expected.cache_params.cell, rtol=1e-5, atol=1e-5)
