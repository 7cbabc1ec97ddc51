"""Rows are halved where memory runs out, and nothing else changes; other errors pass through."""

import weakref

import numpy as np
import pytest
import torch
from small_windows import choose, num_bytes_by_id, random_split, tiny_model

from hf_ctxscale.scoring.ablation import ablate_context
from hf_ctxscale.scoring.fitting_rows import FittingRows
from hf_ctxscale.scoring.score_model import score_model
from hf_ctxscale.scoring.token_losses import TokenLosses
from hf_ctxscale.study import UserError

CONTEXT = 16
SPLIT = random_split([60, 45, 90, 52, 38, 75])
WINDOWS = choose("within", SPLIT, CONTEXT)
OUT_OF_MEMORY = (
    RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB."),
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4294967296 bytes."),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
)


def _limited(max_tokens, *, error=OUT_OF_MEMORY[0], model_type="gpt2"):
    """A model that has no room for more tokens at once, and the rows of every pass that it was asked for."""
    model = tiny_model(model_type)
    asked = []

    def refuse(module, args, kwargs):
        asked.append(tuple(kwargs["input_ids"].shape))
        if kwargs["input_ids"].numel() > max_tokens:
            raise error

    model.register_forward_pre_hook(refuse, with_kwargs=True)
    return model, asked


def _score(model, *, batch_blocks=8, **options):
    return score_model(model, WINDOWS, documents=SPLIT.documents, num_bytes_by_id=num_bytes_by_id(), batch_blocks=batch_blocks, **options)


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=["cuda", "cpu", "torch"])
@pytest.mark.parametrize("max_rows", [1, 3, 7])
def test_rows_are_halved_until_they_fit_and_the_losses_are_the_same(error, max_rows):
    model, asked = _limited(max_rows * CONTEXT, error=error)
    expected, losses = _score(tiny_model("gpt2")), _score(model)
    assert losses.documents == expected.documents
    np.testing.assert_array_equal(losses.num_tokens, expected.num_tokens)
    np.testing.assert_allclose(losses.loss_sum_nats, expected.loss_sum_nats, rtol=1e-12)
    assert max(rows for rows, _ in asked) == 8
    fitting = {1: 1, 3: 2, 7: 4}[max_rows]
    passes = [rows for rows, _ in asked if rows <= max_rows][2:]  # two passes compare ways of computing losses
    assert passes == [fitting] * (8 // fitting) + [fitting] * (6 // fitting) + [6 % fitting] * (6 % fitting > 0)
    assert len(WINDOWS) == 14


def test_what_has_fitted_is_not_done_again():
    """The second half of a batch is where memory runs out."""
    seen = []

    def function(inputs_BS, targets_BT):
        if 6 in inputs_BS and len(inputs_BS) > 1:
            raise OUT_OF_MEMORY[0]
        seen.extend(inputs_BS[:, 0].tolist())
        return inputs_BS

    fitting = FittingRows(4)
    inputs = torch.arange(8)[:, None]
    torch.testing.assert_close(fitting(function, inputs, inputs), inputs)
    assert seen == list(range(8))
    assert fitting.rows == 1


def test_the_number_that_fits_is_remembered():
    model, asked = _limited(2 * CONTEXT)
    _score(model)
    first_small = next(number for number, shape in enumerate(asked[2:], start=2) if shape[0] == 2)
    assert all(rows == 2 for rows, _ in asked[first_small:])


def test_the_tensors_that_did_not_fit_are_let_go_before_the_next_attempt():
    """Else the smaller attempt would find less memory than there is."""
    held = []

    def function(inputs_BS, targets_BT):
        assert all(tensor() is None for tensor in held)
        large = torch.zeros(1000)
        held.append(weakref.ref(large))
        if len(inputs_BS) > 1:
            raise RuntimeError("CUDA out of memory.")
        return inputs_BS

    inputs = torch.arange(4)[:, None]
    torch.testing.assert_close(FittingRows(4)(function, inputs, inputs), inputs)
    assert len(held) == 6


@pytest.mark.parametrize("error", [RuntimeError("expected scalar type Float but found Double"), IndexError("index out of range in self")])
def test_other_errors_pass_through(error):
    model, asked = _limited(2 * CONTEXT, error=error)
    with pytest.raises(type(error), match=str(error)):
        _score(model)
    assert len(asked) == 3


def test_a_single_window_that_does_not_fit_is_a_sentence():
    model, _ = _limited(CONTEXT)
    with pytest.raises(
        UserError, match="memory is too small for a single window of 17 tokens; score fewer --context tokens, or use --dtype"
    ):
        _score(model, bos_ids=(1,))


def test_an_ablation_has_a_number_of_rows_for_every_length():
    """Many short contexts fit where few long ones do."""
    given = {"documents": SPLIT.documents, "num_bytes_by_id": num_bytes_by_id(), "batch_blocks": 6, "min_rounds": 3}
    model, asked = _limited(3 * CONTEXT, model_type="ctxscale_lstm")
    losses = ablate_context(TokenLosses(model), WINDOWS, **given).losses
    expected = ablate_context(TokenLosses(tiny_model("ctxscale_lstm")), WINDOWS, **given).losses
    np.testing.assert_allclose(losses.loss_sum_nats, expected.loss_sum_nats, rtol=1e-12)
    fitted = {length: max(rows for rows, tokens in asked if tokens == length and rows * tokens <= 3 * CONTEXT) for _, length in asked}
    assert fitted == {1: 12, 2: 12, 4: 12, 8: 6, 16: 3}
