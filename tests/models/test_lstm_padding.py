"""The LSTM against the step-by-step reference: padding, state and every option, forward and gradients, in float64."""

import copy

import pytest
import torch

from hf_ctxscale.models import LSTMConfig, LSTMForCausalLM, LSTMState
from hf_ctxscale.models.lstm.lanes_lstm import build_lanes
from tests.models.reference_lstm import OPTIONS, reference

VOCAB_SIZE, NUM_STEPS = 11, 8
MASKS = {
    "unpadded": [[1] * 8] * 4,
    "right": [[1] * 8, [1] * 3 + [0] * 5, [1] + [0] * 7, [1] * 7 + [0]],
    "left": [[1] * 8, [0] * 5 + [1] * 3, [0] * 7 + [1], [0] + [1] * 7],
    "both sides": [[0, 1, 1, 1, 1, 1, 0, 0], [0, 0, 1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 1, 0, 0, 0, 0]],
    "holes": [[1, 0, 1, 1, 0, 0, 1, 1], [0, 1, 0, 1, 0, 1, 0, 1], [1, 0, 0, 0, 0, 0, 0, 1], [1, 1, 1, 1, 1, 1, 1, 1]],
    "a row of padding alone": [[1] * 8, [0] * 8, [0] * 4 + [1] * 4, [1] * 4 + [0] * 4],
    "padding alone": [[0] * 8] * 4,
}
every_option = pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())
every_mask = pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS.keys())


def make_model(options: dict, *, dtype: torch.dtype = torch.float64) -> LSTMForCausalLM:
    torch.manual_seed(0)
    model = LSTMForCausalLM(LSTMConfig(vocab_size=VOCAB_SIZE, **{"hidden_size": 6, **options})).to(dtype)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name or "bias" in name:
                parameter += 0.3 * torch.randn_like(parameter)  # so that none is an accidental identity
    return model


def make_state(model: LSTMForCausalLM, num_rows: int = 4) -> LSTMState:
    config = model.config
    return LSTMState(
        hidden=torch.randn(config.num_hidden_layers, num_rows, config.output_size, dtype=model.dtype),
        cell=torch.randn(config.num_hidden_layers, num_rows, config.hidden_size, dtype=model.dtype),
    )


def real(logits: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The logits of the real tokens, row after row: (N, V)."""
    return logits[mask.bool()]


def stacked(rows: list[list[torch.Tensor]]) -> torch.Tensor:
    """The reference's logits in the same form."""
    flat = [logits for row in rows for logits in row]
    return torch.stack(flat) if flat else torch.empty(0, VOCAB_SIZE, dtype=torch.float64)


@every_mask
@every_option
@pytest.mark.parametrize("way", ["training", "state out", "state in and out"])
def test_model_equals_the_reference_with_gradients(options, mask, way):
    model = make_model(options).train()
    plain = copy.deepcopy(model)
    input_ids, mask = torch.randint(VOCAB_SIZE, (4, NUM_STEPS)), torch.tensor(mask)
    state = make_state(model) if way == "state in and out" else None
    use_cache = way != "training"

    outputs = model(input_ids, attention_mask=mask, cache_params=state, use_cache=use_cache)
    expected, expected_state = reference(plain, input_ids, mask=mask, state=state)
    ours, theirs = real(outputs.logits, mask), stacked(expected)
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)
    # The loss that is followed backwards has every logit in it, and every element of the state.
    weights = torch.randn_like(theirs)
    parts = [((ours * weights).sum(), (theirs * weights).sum())]
    if use_cache:
        for name in ("hidden", "cell"):
            mine, wanted = outputs.cache_params[name], expected_state[name]
            torch.testing.assert_close(mine, wanted, rtol=1e-10, atol=1e-12)
            weights = torch.randn_like(wanted)
            parts.append(((mine * weights).sum(), (wanted * weights).sum()))
    else:
        assert outputs.cache_params is None
    if not mask.any() and way != "state in and out":
        return  # nothing that depends on a weight
    loss, expected_loss = (sum(pair[side] for pair in parts) for side in (0, 1))
    if not expected_loss.requires_grad:  # padding alone, a state in: it comes out as it went in
        return
    loss.backward()
    expected_loss.backward()
    gradients = dict(plain.named_parameters())
    for name, parameter in model.named_parameters():
        wanted = gradients[name].grad
        wanted = torch.zeros_like(parameter) if wanted is None else wanted
        torch.testing.assert_close(parameter.grad, wanted, rtol=1e-8, atol=1e-11, msg=name)


@every_mask
def test_gradients_reach_the_state_that_was_passed_in(mask):
    model = make_model({"num_hidden_layers": 2})
    input_ids, mask = torch.randint(VOCAB_SIZE, (4, NUM_STEPS)), torch.tensor(mask)
    states = [make_state(model)]
    states.append(LSTMState(hidden=states[0].hidden.clone(), cell=states[0].cell.clone()))
    for state in states:
        state.hidden.requires_grad_()
        state.cell.requires_grad_()
    outputs = model(input_ids, attention_mask=mask, cache_params=states[0])
    (real(outputs.logits, mask).sum() + outputs.cache_params.cell.sum() + outputs.cache_params.hidden.square().sum()).backward()
    logits, final = reference(model, input_ids, mask=mask, state=states[1])
    (stacked(logits).sum() + final.cell.sum() + final.hidden.square().sum()).backward()
    for name in ("hidden", "cell"):
        torch.testing.assert_close(states[0][name].grad, states[1][name].grad, rtol=1e-9, atol=1e-11)


@every_mask
@every_option
def test_padding_repeats_what_the_last_real_token_gave(options, mask):
    model = make_model(options).eval()
    input_ids, mask = torch.randint(VOCAB_SIZE, (4, NUM_STEPS)), torch.tensor(mask)
    for use_cache in (False, True):
        hidden = model.model(input_ids, attention_mask=mask, use_cache=use_cache).last_hidden_state
        for row in range(4):
            last = torch.zeros_like(hidden[row, 0])
            for step in range(NUM_STEPS):
                last = hidden[row, step] if mask[row, step] else last
                assert torch.equal(hidden[row, step], last)


def test_what_stands_in_the_padding_never_matters():
    model = make_model({"num_hidden_layers": 2}).train()
    mask = torch.tensor(MASKS["both sides"])
    embeds = torch.randn(4, NUM_STEPS, 6, dtype=torch.float64)
    poisoned = embeds.masked_fill(mask[..., None] == 0, float("nan")).requires_grad_()
    for use_cache in (False, True):
        poisoned.grad = None
        outputs = model(inputs_embeds=poisoned, attention_mask=mask, use_cache=use_cache)
        assert torch.equal(outputs.logits, model(inputs_embeds=embeds, attention_mask=mask, use_cache=use_cache).logits)
        outputs.logits.square().sum().backward()
        assert poisoned.grad.isfinite().all()
        assert not poisoned.grad[mask == 0].any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize(
    "options", [{}, {"num_hidden_layers": 3, "residual": True, "layer_norm": True}], ids=["plain", "residual and norm"]
)
def test_a_lane_adds_no_error_of_its_own_in_any_precision(dtype, options):
    """Gates are shut to exactly zero: rows in lanes are as far from the float64 result as rows computed alone, and no further."""
    model = make_model({"hidden_size": 48, **options}).eval()
    lengths = torch.tensor([40, 3, 17, 22, 1, 9, 30, 25])
    input_ids = torch.randint(VOCAB_SIZE, (8, 40))
    mask = (torch.arange(40) < lengths[:, None]).long()
    with torch.no_grad():
        # Large states, which a gate that is not quite shut would let through.
        model.model.lstm.bias_ih_l0 += 2
        model = model.to(dtype)
        exact = copy.deepcopy(model).double().model(input_ids).last_hidden_state
        alone = [model.model(input_ids[row : row + 1, :length]).last_hidden_state[0] for row, length in enumerate(lengths.tolist())]
        error_alone = max((rows.double() - exact[row, : len(rows)]).abs().max() for row, rows in enumerate(alone))
        for use_cache in (False, True):
            hidden = model.model(input_ids, attention_mask=mask, use_cache=use_cache).last_hidden_state
            assert ((hidden.double() - exact) * mask[..., None]).abs().max() < 1.5 * error_alone


def test_training_under_bfloat16_autocast_sees_padding_as_little_as_float32_does():
    model = make_model({"hidden_size": 32, "num_hidden_layers": 2}, dtype=torch.float32)
    lengths = torch.tensor([30, 4, 11, 19])
    input_ids = torch.randint(VOCAB_SIZE, (4, 30))
    mask = (torch.arange(30) < lengths[:, None]).long()
    labels = input_ids.masked_fill(mask == 0, -100)

    def gradients(**inputs):
        model.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = model(**inputs, num_items_in_batch=int((labels[:, 1:] != -100).sum())).loss
        loss.backward()
        return loss.item(), {name: parameter.grad.clone() for name, parameter in model.named_parameters()}

    loss, padded = gradients(input_ids=input_ids, attention_mask=mask, labels=labels)
    parts = [
        gradients(input_ids=input_ids[row : row + 1, :n], labels=input_ids[row : row + 1, :n]) for row, n in enumerate(lengths.tolist())
    ]
    assert loss == pytest.approx(sum(part[0] for part in parts), rel=2e-3)
    for name, gradient in padded.items():
        whole = sum(part[1][name] for part in parts)
        assert (gradient - whole).norm() < 0.02 * whole.norm(), name


@pytest.mark.parametrize("seed", range(20))
def test_shared_lanes_hold_every_token_once_with_a_free_slot_between_rows(seed):
    torch.manual_seed(seed)
    num_rows, num_steps = 1 + seed, 12
    mask = (torch.rand(num_rows, num_steps) < torch.rand(num_rows, 1)).long()
    lanes = build_lanes(mask, is_shared=True)
    used = lanes.source[~lanes.is_free]
    assert sorted(used.tolist()) == mask.flatten().nonzero()[:, 0].tolist()
    for lane, is_free in zip(lanes.source.tolist(), lanes.is_free.tolist(), strict=True):
        for slot in range(1, len(lane)):
            if not is_free[slot] and not is_free[slot - 1]:
                assert lane[slot] // num_steps == lane[slot - 1] // num_steps, "two rows touch"
                assert lane[slot] > lane[slot - 1], "tokens out of order"
    assert len(lanes.source) <= num_rows
    assert lanes.source.shape[1] == max(1, int(mask.sum(1).max()))


def test_lanes_share_where_rows_are_short():
    lengths = [100, 50, 49, 30, 30, 38, 1]
    mask = (torch.arange(100) < torch.tensor(lengths)[:, None]).long()
    assert build_lanes(mask, is_shared=True).source.shape == (4, 100)  # 100; 50 + 49; 38 + 30 + 30 (- 2 free); 1
    assert build_lanes(mask, is_shared=False).source.shape == (7, 100)
