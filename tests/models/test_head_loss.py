"""The chunked head loss against head, logits and cross entropy: value, gradients, precision, and what it keeps in memory."""

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from transformers.loss.loss_utils import ForCausalLMLoss

from hf_ctxscale.models import LSTMConfig, LSTMForCausalLM
from hf_ctxscale.models.lstm import head_loss_lstm, modeling_lstm
from hf_ctxscale.models.lstm.head_loss_lstm import head_loss

VOCAB_SIZE = 23


def problem(*, dtype: torch.dtype = torch.float64, ignored: float = 0.3) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    hidden = torch.randn(3, 9, 6, dtype=dtype, requires_grad=True)
    weight = torch.randn(VOCAB_SIZE, 6, dtype=dtype, requires_grad=True)
    labels = torch.randint(VOCAB_SIZE, (3, 9)).masked_fill(torch.rand(3, 9) < ignored, -100)
    return hidden, weight, labels


def plain_loss(hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor, *, num_items: int | None = None) -> torch.Tensor:
    """All logits at once, in the inputs' own precision; targets already stand at their positions."""
    logits = functional.linear(hidden, weight).flatten(0, 1)
    total = functional.cross_entropy(logits, targets.flatten(), ignore_index=-100, reduction="sum")
    return total / (num_items or (targets != -100).sum())


def shifted(labels: torch.Tensor) -> torch.Tensor:
    return torch.cat([labels[:, 1:], torch.full_like(labels[:, :1], -100)], dim=1)


@pytest.mark.parametrize("rows_per_chunk", [1, 2, 5, 26, 27, 1000])
@pytest.mark.parametrize("num_items", [None, 7])
@pytest.mark.parametrize("shift_inside", [True, False])
def test_value_and_gradients_equal_the_plain_loss_in_float64(rows_per_chunk, num_items, shift_inside):
    hidden, weight, labels = problem()
    targets = shifted(labels) if shift_inside else labels
    expected = plain_loss(hidden, weight, targets, num_items=num_items)
    expected_gradients = torch.autograd.grad(3 * expected, [hidden, weight])
    loss = head_loss(
        hidden,
        weight,
        labels,
        shift_labels=None if shift_inside else labels,
        num_items_in_batch=num_items,
        rows_per_chunk=rows_per_chunk,
    )
    gradients = torch.autograd.grad(3 * loss, [hidden, weight])
    torch.testing.assert_close(loss, expected, rtol=1e-12, atol=1e-12)
    for mine, wanted in zip(gradients, expected_gradients, strict=True):
        torch.testing.assert_close(mine, wanted, rtol=1e-10, atol=1e-12)


def test_gradients_hold_against_finite_differences():
    hidden, weight, labels = problem()
    assert torch.autograd.gradcheck(lambda h, w: head_loss(h, w, labels, rows_per_chunk=4), (hidden, weight))


def test_one_side_alone_may_want_a_gradient():
    hidden, weight, labels = problem()
    for wanted in (hidden, weight):
        inputs = [tensor if tensor is wanted else tensor.detach() for tensor in (hidden, weight)]
        (mine,) = torch.autograd.grad(head_loss(*inputs, labels, rows_per_chunk=4), [wanted])
        (expected,) = torch.autograd.grad(plain_loss(*inputs, shifted(labels)), [wanted])
        torch.testing.assert_close(mine, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("num_items", [7, torch.tensor(7)])
def test_it_agrees_with_the_loss_of_transformers_in_float32(num_items):
    hidden, weight, labels = problem(dtype=torch.float32)
    logits = functional.linear(hidden, weight)
    for given in (None, num_items):
        theirs = ForCausalLMLoss(logits, labels, VOCAB_SIZE, num_items_in_batch=given)
        torch.testing.assert_close(head_loss(hidden, weight, labels, num_items_in_batch=given, rows_per_chunk=4), theirs)


def test_bfloat16_is_as_close_to_float32_as_the_plain_loss_is():
    """Against the exact loss of the same rounded inputs: the chunked way may not be further off than all logits at once."""
    torch.manual_seed(0)
    hidden = torch.randn(4, 64, 32).bfloat16().requires_grad_()
    weight = torch.randn(500, 32).bfloat16().requires_grad_()
    labels = torch.randint(500, (4, 64))
    exact = plain_loss(hidden.double(), weight.double(), shifted(labels))
    exact_gradients = torch.autograd.grad(exact, [hidden, weight])
    ours = head_loss(hidden, weight, labels, rows_per_chunk=50)
    assert ours.dtype == torch.float32
    gradients = torch.autograd.grad(ours, [hidden, weight])
    plain = ForCausalLMLoss(functional.linear(hidden, weight), labels, 500)
    plain_gradients = torch.autograd.grad(plain, [hidden, weight])
    assert abs(ours - exact) <= 1.1 * abs(plain - exact) + 1e-6  # both are within float32's rounding
    for mine, theirs, wanted in zip(gradients, plain_gradients, exact_gradients, strict=True):
        assert mine.dtype == torch.bfloat16
        assert (mine.double() - wanted).norm() <= 1.1 * (theirs.double() - wanted.double()).norm()


def test_autocast_computes_in_its_type_and_keeps_gradients_in_theirs():
    hidden, weight, labels = problem(dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = head_loss(hidden, weight, labels, rows_per_chunk=4)
        with torch.no_grad():
            expected = functional.cross_entropy(
                functional.linear(hidden, weight).float().flatten(0, 1), shifted(labels).flatten(), ignore_index=-100
            )
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-6)
    assert [gradient.dtype for gradient in torch.autograd.grad(loss, [hidden, weight])] == [torch.float32] * 2


def test_no_target_at_all_gives_what_transformers_gives():
    hidden, weight, _ = problem(dtype=torch.float32)
    labels = torch.full((3, 9), -100)
    assert head_loss(hidden, weight, labels).isnan()
    assert ForCausalLMLoss(functional.linear(hidden, weight), labels, VOCAB_SIZE).isnan()
    assert head_loss(hidden, weight, labels, num_items_in_batch=5) == 0


class _Largest(TorchDispatchMode):
    """The number of elements of the largest tensor that any operation gives."""

    def __init__(self) -> None:
        super().__init__()
        self.numel = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, tuple) else (result,):
            if isinstance(tensor, torch.Tensor):
                self.numel = max(self.numel, tensor.numel())
        return result


def test_all_logits_are_never_in_memory_at_once_in_either_pass():
    hidden, weight = torch.randn(2, 50, 4, requires_grad=True), torch.randn(200, 4, requires_grad=True)
    labels = torch.randint(200, (2, 50))
    with _Largest() as ours:
        head_loss(hidden, weight, labels, rows_per_chunk=10).backward()
    assert ours.numel == 10 * 200
    with _Largest() as plain:
        plain_loss(hidden, weight, shifted(labels)).backward()
    assert plain.numel == 100 * 200


def make_model(**fields) -> LSTMForCausalLM:
    torch.manual_seed(0)
    return LSTMForCausalLM(LSTMConfig(vocab_size=VOCAB_SIZE, hidden_size=6, **fields))


@pytest.mark.parametrize("fields", [{}, {"tie_word_embeddings": False}, {"embedding_size": 4}])
@pytest.mark.parametrize("padded", [False, True])
def test_the_model_without_logits_gives_the_same_loss_and_gradients(fields, padded, monkeypatch):
    model = make_model(**fields)
    text = torch.randint(VOCAB_SIZE, (3, 8))
    mask = torch.tensor([[1] * 8, [1] * 3 + [0] * 5, [0] * 4 + [1] * 4]) if padded else None
    labels = text if mask is None else text.masked_fill(mask == 0, -100)
    inputs = {"input_ids": text, "attention_mask": mask, "labels": labels, "num_items_in_batch": torch.tensor(21)}
    expected = model(**inputs)
    expected_gradients = torch.autograd.grad(expected.loss, list(model.parameters()))
    monkeypatch.setattr(head_loss_lstm, "LOGITS_PER_CHUNK", 5 * VOCAB_SIZE)
    outputs = model(**inputs, return_logits=False)
    assert outputs.logits is None
    torch.testing.assert_close(outputs.loss, expected.loss)
    for mine, wanted in zip(torch.autograd.grad(outputs.loss, list(model.parameters())), expected_gradients, strict=True):
        torch.testing.assert_close(mine, wanted, rtol=1e-4, atol=1e-6)


def test_many_logits_go_through_the_chunks_and_few_do_not(monkeypatch):
    calls = []
    chunked = head_loss_lstm._ChunkedHeadLoss.apply
    monkeypatch.setattr(head_loss_lstm._ChunkedHeadLoss, "apply", lambda *args: calls.append(args[3]) or chunked(*args))
    model, text = make_model(), torch.randint(VOCAB_SIZE, (3, 8))
    model(text, labels=text, return_logits=False)
    assert not calls
    monkeypatch.setattr(head_loss_lstm, "LOGITS_PER_CHUNK", 5 * VOCAB_SIZE)
    model(text, labels=text, return_logits=False)
    assert calls == [5]


def test_the_head_reads_scored_positions_alone():
    hidden, weight, labels = problem()
    with _Largest() as largest:
        head_loss(hidden, weight, labels, shift_labels=labels).backward()
    assert largest.numel == int((labels != -100).sum()) * VOCAB_SIZE


def test_an_adapted_head_computes_its_logits_itself(monkeypatch):
    monkeypatch.setattr(modeling_lstm, "head_loss", None)
    model, text = make_model(), torch.randint(VOCAB_SIZE, (3, 8))
    expected = model(text, labels=text).loss
    model.lm_head = nn.Sequential(model.lm_head)
    outputs = model(text, labels=text, return_logits=False)
    assert outputs.logits is None
    assert torch.equal(outputs.loss, expected)


def test_a_loss_of_the_users_own_is_respected(monkeypatch):
    monkeypatch.setattr(modeling_lstm, "head_loss", None)
    model, text = make_model(), torch.randint(VOCAB_SIZE, (3, 8))
    model.loss_function = lambda logits, labels, vocab_size, **kwargs: logits.sum() * 0 + 42
    outputs = model(text, labels=text, return_logits=False)
    assert outputs.loss == 42


def test_nothing_to_compute_is_refused():
    with pytest.raises(ValueError, match="return_logits=False was given without labels, which leaves nothing to compute"):
        make_model()(torch.tensor([[1, 2]]), return_logits=False)
