"""The LSTM's state: chunks of any sizes, generation with and without it, beams, padding sides, streaming, continuing, saving."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import GenerationConfig
from transformers.generation.streamers import BaseStreamer

from hf_ctxscale.models import LSTMConfig, LSTMForCausalLM, LSTMState
from tests.models.reference_lstm import OPTIONS

VOCAB_SIZE, PAD = 17, 0
every_option = pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())
every_dtype = pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
WAYS = {
    "greedy": {"do_sample": False},
    "beams": {"do_sample": False, "num_beams": 3, "num_return_sequences": 2},
    "samples": {"do_sample": True, "temperature": 0.8, "top_k": 9, "num_return_sequences": 2},
    "beam samples": {"do_sample": True, "num_beams": 3},
    "penalties": {"do_sample": False, "repetition_penalty": 1.3, "no_repeat_ngram_size": 2},
}
every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())


def make_model(options: dict | None = None, *, dtype: torch.dtype = torch.float64) -> LSTMForCausalLM:
    torch.manual_seed(0)
    config = LSTMConfig(vocab_size=VOCAB_SIZE, **{"hidden_size": 12, **(options or {})}, pad_token_id=PAD)
    return LSTMForCausalLM(config).to(dtype).eval()


def generate(model: LSTMForCausalLM, input_ids: torch.Tensor, **settings) -> torch.Tensor:
    torch.manual_seed(1)
    return model.generate(input_ids, **{"max_new_tokens": 12, "eos_token_id": None, **settings})


@st.composite
def _chunks(draw) -> list[int]:
    return draw(st.lists(st.integers(1, 9), min_size=1, max_size=7))


def assert_chunks_equal_one_pass(model: LSTMForCausalLM, input_ids: torch.Tensor, sizes: list[int], mask: torch.Tensor | None) -> None:
    """The text in pieces, the state passed on, against the text at once: logits of real tokens, and the state at the end."""
    whole = model(input_ids, attention_mask=mask)
    masks = [None] * len(sizes) if mask is None else mask.split(sizes, dim=1)
    state, logits = None, []
    for chunk, chunk_mask in zip(input_ids.split(sizes, dim=1), masks, strict=True):
        outputs = model(chunk, attention_mask=chunk_mask, cache_params=state)
        state = outputs.cache_params
        logits.append(outputs.logits)
    is_real = torch.ones_like(input_ids).bool() if mask is None else mask.bool()
    torch.testing.assert_close(torch.cat(logits, dim=1)[is_real], whole.logits[is_real], rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(state.hidden, whole.cache_params.hidden, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(state.cell, whole.cache_params.cell, rtol=1e-10, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(sizes=_chunks(), options=st.sampled_from(sorted(OPTIONS)), seed=st.integers(0, 1000))
def test_a_text_in_chunks_of_any_sizes_equals_one_pass(sizes, options, seed):
    model = make_model(OPTIONS[options])
    torch.manual_seed(seed)
    assert_chunks_equal_one_pass(model, torch.randint(VOCAB_SIZE, (2, sum(sizes))), sizes, None)


@settings(max_examples=40, deadline=None)
@given(sizes=_chunks(), options=st.sampled_from(sorted(OPTIONS)), seed=st.integers(0, 1000))
def test_a_padded_batch_in_chunks_of_any_sizes_equals_one_pass(sizes, options, seed):
    """Holes anywhere, and chunks in which a row has nothing but padding."""
    model = make_model(OPTIONS[options])
    torch.manual_seed(seed)
    input_ids = torch.randint(VOCAB_SIZE, (3, sum(sizes)))
    assert_chunks_equal_one_pass(model, input_ids, sizes, (torch.rand(3, sum(sizes)) < 0.6).long())


def test_a_passed_state_is_left_as_it_is():
    model = make_model({"num_hidden_layers": 2})
    state = model(torch.randint(VOCAB_SIZE, (2, 5))).cache_params
    before = LSTMState(hidden=state.hidden.clone(), cell=state.cell.clone())
    model(torch.randint(VOCAB_SIZE, (2, 5)), cache_params=state)
    generate(model, torch.randint(VOCAB_SIZE, (2, 1)), cache_params=state, num_beams=3)
    assert torch.equal(state.hidden, before.hidden)
    assert torch.equal(state.cell, before.cell)


@every_way
@every_option
def test_generation_with_the_state_equals_generation_without(options, way):
    model = make_model(options)
    prompt = torch.randint(1, VOCAB_SIZE, (3, 6))
    with_state, without = (generate(model, prompt, use_cache=use_cache, **way) for use_cache in (True, False))
    assert with_state.shape[1] == 18
    assert torch.equal(with_state, without)


@every_dtype
def test_every_precision_generates(dtype):
    """In one precision, one by one or all at once: the same numbers up to its rounding, so the same scores within it."""
    model = make_model({"num_hidden_layers": 2}, dtype=dtype)
    prompt = torch.randint(1, VOCAB_SIZE, (3, 6))
    outputs = model.generate(
        prompt, max_new_tokens=12, eos_token_id=None, do_sample=False, output_logits=True, return_dict_in_generate=True
    )
    stepped = torch.stack(outputs.logits, dim=1).double()
    at_once = model(outputs.sequences[:, :-1]).logits[:, 5:].double()
    # generate() hands out its logits in float32.
    rounding = max(torch.finfo(dtype).eps, torch.finfo(torch.float32).eps)
    assert (stepped - at_once).abs().max() < 8 * rounding * at_once.abs().max()


@pytest.mark.parametrize(
    "way", ["greedy", "beams"]
)  # samples and penalties: a batch draws other numbers than its rows, and pads count as text
@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("use_cache", [True, False])
def test_padded_batches_generate_what_their_rows_generate_alone(way, side, use_cache):
    model = make_model({"num_hidden_layers": 2})
    prompts = [torch.randint(1, VOCAB_SIZE, (1, length)) for length in (7, 2, 4)]
    alone = torch.cat([generate(model, prompt, **WAYS[way])[:, prompt.shape[1] :] for prompt in prompts])
    ids, mask = torch.full((3, 7), PAD), torch.zeros(3, 7, dtype=torch.long)
    for row, prompt in enumerate(prompts):
        where = slice(7 - prompt.shape[1], 7) if side == "left" else slice(0, prompt.shape[1])
        ids[row, where], mask[row, where] = prompt[0], 1
    assert torch.equal(generate(model, ids, attention_mask=mask, use_cache=use_cache, **WAYS[way])[:, 7:], alone)


def test_seeded_samples_of_a_padded_batch_do_not_depend_on_the_side():
    model = make_model({"num_hidden_layers": 2})
    ids = {"left": torch.tensor([[PAD, PAD, 5, 6], [1, 2, 3, 4]]), "right": torch.tensor([[5, 6, PAD, PAD], [1, 2, 3, 4]])}
    texts = [generate(model, ids[side], attention_mask=(ids[side] != PAD).long(), do_sample=True)[:, 4:] for side in ids]
    assert torch.equal(*texts)


def test_right_padding_is_the_worst_case_for_the_mask_without_a_state():
    """Each new token lands after a hole; without a state the whole text, hole included, is read again."""
    model = make_model()
    ids, mask = torch.tensor([[5, 6, PAD, PAD]]), torch.tensor([[1, 1, 0, 0]])
    texts = [generate(model, ids, attention_mask=mask, use_cache=use_cache)[:, 4:] for use_cache in (True, False)]
    assert torch.equal(*texts)
    assert torch.equal(texts[0], generate(model, ids[:, :2])[:, 2:])


@every_way
def test_generate_continues_from_a_passed_state(way):
    model = make_model({"num_hidden_layers": 2})
    text = torch.randint(1, VOCAB_SIZE, (2, 9))
    if "repetition_penalty" in way:
        way = {"do_sample": False}  # a penalty looks at the text, which a state does not hold
    whole = generate(model, text, **way)[:, 9:]
    state = model(text[:, :6]).cache_params
    continued = generate(model, text[:, 6:], cache_params=state, **way)[:, 3:]
    assert torch.equal(continued, whole)


def test_generation_hands_out_the_state_that_it_ended_with():
    model = make_model({"num_hidden_layers": 2})
    prompt = torch.randint(1, VOCAB_SIZE, (2, 4))
    first = model.generate(prompt, max_new_tokens=5, eos_token_id=None, do_sample=False, return_dict_in_generate=True)
    # As for every model of transformers, the last token has been written but not read yet.
    second = generate(model, first.sequences[:, -1:], cache_params=first.past_key_values, max_new_tokens=7)
    assert torch.equal(torch.cat([first.sequences, second[:, 1:]], dim=1), generate(model, prompt, max_new_tokens=12))


@every_dtype
def test_a_state_can_be_saved_and_loaded(dtype, tmp_path):
    model = make_model({"num_hidden_layers": 2, "proj_size": 5}, dtype=dtype)
    text = torch.randint(1, VOCAB_SIZE, (2, 9))
    state = model(text[:, :6]).cache_params
    state.save(tmp_path / "new folder" / "state.safetensors")
    loaded = LSTMState.load(tmp_path / "new folder" / "state.safetensors")
    assert loaded.hidden.dtype == dtype
    assert torch.equal(model(text[:, 6:], cache_params=loaded).logits, model(text[:, 6:], cache_params=state).logits)


def test_a_file_that_is_no_state_is_refused(tmp_path):
    model = make_model()
    model.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"model\.safetensors holds .*, not the hidden and cell of an LSTMState; give a file that"):
        LSTMState.load(tmp_path / "model.safetensors")


def test_a_file_that_is_nothing_of_the_kind_is_refused(tmp_path):
    (tmp_path / "state").write_text("no tensors")
    with pytest.raises(ValueError, match=r"state is no safetensors file \(.*\); give a file that LSTMState.save wrote"):
        LSTMState.load(tmp_path / "state")


def test_truncated_backpropagation_passes_the_numbers_on_without_their_history():
    model = make_model({"num_hidden_layers": 2}).train()
    text = torch.randint(VOCAB_SIZE, (2, 12))
    state = None
    for piece in text.split(4, dim=1):
        outputs = model(piece, cache_params=state, labels=piece, use_cache=True)
        outputs.loss.backward()
        state = outputs.cache_params.detach()
    assert torch.equal(state.cell, model(text, use_cache=True).cache_params.cell)
    assert not state.hidden.requires_grad


def test_the_state_is_as_small_after_a_long_text_as_after_a_short_one():
    model = make_model({"num_hidden_layers": 2})
    short, long = (model(torch.randint(VOCAB_SIZE, (1, length))).cache_params for length in (1, 3000))
    assert [tuple(t.shape) for t in short.values()] == [tuple(t.shape) for t in long.values()] == [(2, 1, 12), (2, 1, 12)]


def test_a_step_of_generation_reads_one_token():
    """Constant time per token: after the prompt, the model is never shown more than the newest token."""
    model = make_model()
    seen: list[int] = []
    model.model.register_forward_pre_hook(lambda module, args, kwargs: seen.append(kwargs["input_ids"].shape[1]), with_kwargs=True)
    generate(model, torch.randint(1, VOCAB_SIZE, (2, 9)), num_beams=2)
    assert seen == [9] + [1] * 11


def test_beam_search_takes_every_beam_its_own_state():
    model = make_model({"num_hidden_layers": 2})
    state = model(torch.randint(VOCAB_SIZE, (4, 3))).cache_params
    hidden, cell = state.hidden.clone(), state.cell.clone()
    rows = torch.tensor([2, 2, 0, 3])
    state.reorder_cache(rows)
    assert torch.equal(state.hidden, hidden[:, rows])
    assert torch.equal(state["cell"], cell[:, rows])


def test_generation_stops_at_the_end_of_text_row_by_row():
    model = make_model()
    prompt = torch.randint(1, VOCAB_SIZE, (4, 5))
    free = generate(model, prompt)
    end = free[0, 7].item()
    stopped = generate(model, prompt, eos_token_id=end, pad_token_id=PAD)
    for row, text in zip(free[:, 5:].tolist(), stopped[:, 5:].tolist(), strict=True):
        wanted = list(itertools.takewhile(lambda token: token != end, row)) + ([end] if end in row else [])
        assert text[: len(wanted)] == wanted
        assert set(text[len(wanted) :]) <= {PAD}


def test_tokens_are_streamed_as_they_come():
    class Collected(BaseStreamer):
        def __init__(self):
            self.pieces, self.ended = [], False

        def put(self, value):
            self.pieces.append(value.flatten().tolist())

        def end(self):
            self.ended = True

    model, streamer = make_model(), Collected()
    prompt = torch.randint(1, VOCAB_SIZE, (1, 5))
    text = generate(model, prompt, streamer=streamer)
    assert streamer.pieces == [prompt[0].tolist(), *([token] for token in text[0, 5:].tolist())]
    assert streamer.ended


def test_inputs_embeds_start_a_generation():
    model = make_model()
    prompt = torch.randint(1, VOCAB_SIZE, (2, 5))
    embeds = model.get_input_embeddings()(prompt)
    torch.manual_seed(1)
    assert torch.equal(model.generate(inputs_embeds=embeds, max_new_tokens=12, eos_token_id=None), generate(model, prompt)[:, 5:])


def test_assisted_generation_is_refused_in_words():
    model = make_model()
    with pytest.raises(ValueError, match="stateful"):
        generate(model, torch.tensor([[1, 2, 3]]), assistant_model=make_model())


def test_a_generation_config_travels_with_the_model(tmp_path):
    model = make_model()
    model.generation_config = GenerationConfig(max_new_tokens=3, eos_token_id=None, pad_token_id=PAD, do_sample=False)
    model.save_pretrained(tmp_path)
    loaded = LSTMForCausalLM.from_pretrained(tmp_path, dtype=torch.float64)
    prompt = torch.randint(1, VOCAB_SIZE, (2, 5))
    assert torch.equal(loaded.generate(prompt), generate(model, prompt, max_new_tokens=3))
