"""The LSTM through the Auto classes, saving, loading and resizing."""

import copy
import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoTokenizer, pipeline

from hf_ctxscale.models import LSTMConfig, LSTMForCausalLM, LSTMModel
from tests.models.small_models import (
    PROMPTS,
    SHAPES,
    VOCAB_SIZE,
    assert_equal_bits,
    assert_equal_logits,
    every_shape,
    make_model,
    padded,
    some_ids,
)

# Auto classes


@pytest.mark.parametrize("name", SHAPES)
def test_a_saved_folder_opens_through_every_auto_class(name, folders):
    folder = folders[name]
    config = AutoConfig.from_pretrained(folder)
    assert type(config) is LSTMConfig
    assert {field: getattr(config, field) for field in SHAPES[name]} == SHAPES[name]
    assert type(AutoModel.from_pretrained(folder)) is LSTMModel
    assert type(AutoModelForCausalLM.from_pretrained(folder)) is LSTMForCausalLM
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer.decode(tokenizer("Grüße, the cat").input_ids) == "Grüße, the cat"


def test_models_are_made_from_a_config_through_the_auto_classes():
    config = LSTMConfig(vocab_size=11, hidden_size=6)
    assert type(AutoModel.from_config(config)) is LSTMModel
    assert type(AutoModelForCausalLM.from_config(config)) is LSTMForCausalLM
    assert type(AutoConfig.for_model("ctxscale_lstm", hidden_size=6)) is LSTMConfig


@pytest.mark.parametrize("name", SHAPES)
def test_a_pipeline_gives_a_batch_of_prompts_the_texts_that_it_gives_each_alone(name, folders):
    generate = pipeline("text-generation", model=str(folders[name]), device="cpu")
    assert type(generate.model) is LSTMForCausalLM
    settings = {"max_new_tokens": 12, "do_sample": False}
    alone = [generate(prompt, **settings) for prompt in PROMPTS]
    assert generate(PROMPTS, batch_size=len(PROMPTS), **settings) == alone
    for prompt, [given] in zip(PROMPTS, alone, strict=True):
        assert given["generated_text"].startswith(prompt)
        assert len(given["generated_text"]) > len(prompt)


# Saving and loading


@every_shape
def test_a_loaded_model_has_equal_weights_and_logits_to_the_bit(shape, tmp_path):
    model = make_model(shape)
    model.save_pretrained(tmp_path)
    torch.manual_seed(1)
    loaded, info = LSTMForCausalLM.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(info.values()), info
    assert not loaded.training
    assert_equal_bits(loaded.state_dict(), model.state_dict())
    assert_equal_logits(loaded, model, some_ids())
    assert_equal_logits(loaded, model, some_ids(), attention_mask=padded(some_ids()))
    assert (loaded.lm_head.weight is loaded.model.embed_tokens.weight) == loaded.config.tie_word_embeddings


@every_shape
def test_a_sharded_checkpoint_loads_to_the_bit(shape, tmp_path):
    model = make_model(shape)
    model.save_pretrained(tmp_path, max_shard_size="2KB")
    shards = sorted(path.name for path in tmp_path.glob("*.safetensors"))
    assert len(shards) > 1
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())
    assert sorted(set(index["weight_map"].values())) == shards
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert_equal_bits(loaded.state_dict(), model.state_dict())
    assert_equal_logits(loaded, model, some_ids())


@every_shape
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64, "auto"], ids=str)
def test_a_checkpoint_loads_in_the_type_that_was_asked_for(shape, dtype, tmp_path):
    model = make_model(shape).to(torch.bfloat16 if dtype == "auto" else torch.float32)
    model.save_pretrained(tmp_path)
    expected = model.to(torch.bfloat16 if dtype == "auto" else dtype)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=dtype)
    assert loaded.dtype == expected.dtype
    assert_equal_bits(loaded.state_dict(), expected.state_dict())
    assert_equal_logits(loaded, expected, some_ids())
    outputs = loaded(some_ids(), use_cache=True)
    assert {outputs.logits.dtype, outputs.cache_params.hidden.dtype, outputs.cache_params.cell.dtype} == {expected.dtype}


@every_shape
@pytest.mark.parametrize("device_map", ["cpu", "auto"])
def test_a_checkpoint_loads_with_a_device_map(shape, device_map, tmp_path):
    model = make_model(shape)
    model.save_pretrained(tmp_path)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path, device_map=device_map).to("cpu")
    assert_equal_bits(loaded.state_dict(), model.state_dict())
    assert_equal_logits(loaded, model, some_ids())


@every_shape
@torch.no_grad()
def test_a_checkpoint_runs_with_its_stack_left_on_disk(shape, tmp_path):
    model = make_model(shape)
    model.save_pretrained(tmp_path)
    device_map = {f"model.{name}": "disk" if name == "lstm" else "cpu" for name, _ in model.model.named_children()}
    loaded = AutoModelForCausalLM.from_pretrained(
        tmp_path, device_map={**device_map, "lm_head": "cpu"}, offload_folder=tmp_path / "offload"
    )
    assert loaded.model.lstm.weight_hh_l0.is_meta
    ids = some_ids()
    for mask in (None, padded(ids)):
        given, expected = (one(ids, attention_mask=mask).logits for one in (loaded, model))
        torch.testing.assert_close(given, expected, rtol=1e-6, atol=1e-6)


def spread(std: float):
    """Whether a tensor looks drawn with this standard deviation round zero."""
    return lambda weight: weight.std().item() == pytest.approx(std, rel=0.15) and abs(weight.mean().item()) < 0.2 * std


def is_orthogonal(weight: torch.Tensor) -> bool:
    """Whether every gate's matrix has orthonormal columns."""
    width = weight.shape[1]
    return all(torch.allclose(gate.T @ gate, torch.eye(width), atol=1e-5) for gate in weight.chunk(4))


def forgets_little(bias: torch.Tensor) -> bool:
    """One for the forget gates, the second of four, and zero for the others."""
    return torch.equal(bias, torch.tensor([0.0, 1.0, 0.0, 0.0]).repeat_interleave(len(bias) // 4))


def is_zero(weight: torch.Tensor) -> bool:
    return not weight.any()


def is_one(weight: torch.Tensor) -> bool:
    return bool((weight == 1).all())


# h = 32, layers of 24 after a projection, an embedding of 40 and a head that is not tied: every kind of weight is there, wide enough to measure.
MISSING = {
    "model.embed_tokens.weight": spread(1.0),
    "model.lstm.weight_ih_l0": spread(2 * 40**-0.5),
    "model.lstm.weight_ih_l1": spread(2 * 24**-0.5),
    "model.lstm.weight_hh_l1": is_orthogonal,
    "model.lstm.weight_hr_l0": spread(32**-0.5),
    "model.lstm.bias_ih_l0": forgets_little,
    "model.lstm.bias_ih_l1": forgets_little,
    "model.lstm.bias_hh_l0": is_zero,
    "model.layers.1.norm.weight": is_one,
    "model.norm.bias": is_zero,
    "lm_head.weight": spread(24**-0.5),
    "model.output_projection.weight": spread(24**-0.5),
}


@pytest.mark.parametrize("name", MISSING)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_a_missing_tensor_alone_is_drawn_anew(name, dtype, tmp_path):
    # Without a tied head there is no output projection.
    is_tied = name == "model.output_projection.weight"
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "proj_size": 24, "embedding_size": 40, "layer_norm": True}
    model = make_model(shape, tie_word_embeddings=is_tied)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter))  # no initial value is left anywhere
    model.to(dtype).save_pretrained(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    del tensors[name]
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})

    def load(seed: int) -> dict[str, torch.Tensor]:
        torch.manual_seed(seed)
        loaded, info = LSTMForCausalLM.from_pretrained(tmp_path, dtype=dtype, output_loading_info=True)
        assert set(info.pop("missing_keys")) == {name}
        assert not any(info.values()), info
        return loaded.state_dict()

    first, second, again = load(5), load(6), load(5)
    drawn = first.pop(name)
    assert drawn.dtype == dtype
    if dtype == torch.float32:
        assert MISSING[name](drawn)
    assert torch.equal(drawn, again[name])
    assert torch.equal(drawn, second.pop(name)) == (MISSING[name] in (forgets_little, is_zero, is_one))
    saved = {key: tensor for key, tensor in model.state_dict().items() if key != name}
    assert_equal_bits(first, saved)
    assert_equal_bits(second, saved)


@every_shape
def test_a_causal_checkpoint_loads_as_the_base_model_and_the_reverse(shape, tmp_path):
    model = make_model(shape)
    model.save_pretrained(tmp_path / "causal")
    base, info = LSTMModel.from_pretrained(tmp_path / "causal", output_loading_info=True)
    assert not info["missing_keys"]
    assert_equal_bits(base.state_dict(), model.model.state_dict())
    assert torch.equal(copy.deepcopy(base)(some_ids()).last_hidden_state, model.model(some_ids()).last_hidden_state)

    base.save_pretrained(tmp_path / "base")
    torch.manual_seed(7)
    causal, info = LSTMForCausalLM.from_pretrained(tmp_path / "base", output_loading_info=True)
    is_tied = model.config.tie_word_embeddings
    assert set(info["missing_keys"]) == (set() if is_tied else {"lm_head.weight"})
    assert not info["unexpected_keys"]
    assert_equal_bits(causal.model.state_dict(), model.model.state_dict())
    if is_tied:
        assert_equal_logits(causal, model, some_ids())
    else:
        assert not torch.equal(causal.lm_head.weight, model.lm_head.weight)


# Embeddings and head


@every_shape
@pytest.mark.parametrize("vocab_size", [VOCAB_SIZE + 7, VOCAB_SIZE - 40], ids=["up", "down"])
def test_a_resized_vocabulary_keeps_its_rows_its_tie_and_its_use(shape, vocab_size, tmp_path):
    model = make_model(shape).double()
    kept = min(vocab_size, VOCAB_SIZE)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    ids = some_ids(vocab_size=kept)
    with torch.no_grad():  # a graph through the old weights would outlive them
        logits = model(ids).logits

    embedding = model.resize_token_embeddings(vocab_size)
    assert embedding is model.get_input_embeddings()
    assert embedding.num_embeddings == model.lm_head.out_features == model.config.vocab_size == vocab_size
    assert model.model.config.vocab_size == vocab_size
    is_tied = model.config.tie_word_embeddings
    assert (model.lm_head.weight is embedding.weight) == is_tied
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        assert torch.equal(model.state_dict()[name][:kept], before[name][:kept])
    torch.testing.assert_close(model(ids).logits[..., :kept], logits[..., :kept], rtol=1e-12, atol=1e-12)

    new_ids = some_ids(vocab_size=vocab_size)
    model(new_ids, labels=new_ids).loss.backward()
    assert embedding.weight.grad.shape[0] == vocab_size
    model.save_pretrained(tmp_path)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path, dtype="auto")
    assert loaded.config.vocab_size == vocab_size
    assert_equal_bits(loaded.state_dict(), model.state_dict())
    assert_equal_logits(loaded, model, new_ids)


@every_shape
def test_embeddings_and_head_are_read_and_replaced_through_their_accessors(shape):
    model = make_model(shape)
    assert model.get_input_embeddings() is model.model.get_input_embeddings() is model.model.embed_tokens
    assert model.get_output_embeddings() is model.lm_head
    assert model.model.get_output_embeddings() is None

    embedding = nn.Embedding(VOCAB_SIZE, model.config.input_size)
    model.set_input_embeddings(embedding)
    assert model.get_input_embeddings() is model.model.embed_tokens is embedding
    head = nn.Linear(model.config.head_size, VOCAB_SIZE, bias=False)
    model.set_output_embeddings(head)
    assert model.get_output_embeddings() is model.lm_head is head
    expected = model.model(some_ids()).last_hidden_state @ head.weight.T
    torch.testing.assert_close(model(some_ids()).logits, expected, rtol=1e-5, atol=1e-5)
    model.tie_weights()
    assert (head.weight is embedding.weight) == model.config.tie_word_embeddings
