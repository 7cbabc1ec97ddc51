"""What the metric refuses: a sentence for every wrong input, and nothing is added."""

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hf_ctxscale.study import UserError

Refusal = Callable[..., str]


@pytest.mark.parametrize("scalar", [2.5, np.float32(2.5), np.array(2.5)])
def test_a_mean_loss_is_refused_and_not_broadcast_into_a_flat_curve(refusal: Refusal, scalar: Any) -> None:
    assert refusal(predictions=scalar) == (
        "predictions are the single number 2.5; give per-token losses of shape (B, T), unreduced, "
        "as of cross_entropy(..., reduction='none')."
    )


def test_a_scalar_tensor_is_refused(refusal: Refusal) -> None:
    import torch

    assert refusal(predictions=torch.tensor(2.5)).startswith("predictions are the single number 2.5; ")


@pytest.mark.parametrize("shape", [(3,), (0,), (2, 0), (2, 4, 50)])
def test_another_shape_than_blocks_by_positions_is_refused(refusal: Refusal, shape: tuple[int, ...]) -> None:
    for predictions in (np.ones(shape), np.ones(shape).tolist()):
        assert refusal(predictions=predictions).startswith(f"predictions are of shape {shape}; give per-token losses of shape (B, T)")


def test_one_block_without_its_batch_is_refused_by_add_batch_and_taken_by_add(refusal: Refusal, metric: Any) -> None:
    assert refusal(predictions=[3.0, 2.0]).startswith("predictions are of shape (2,); ")
    metric.add(prediction=[3.0, 2.0])
    assert metric.compute()["loss_nats"] == [3.0, 2.0]


@pytest.mark.parametrize("prediction", [2.5, [[3.0, 2.0]]])
def test_add_refuses_what_is_not_one_block(metric: Any, prediction: Any) -> None:
    with pytest.raises(UserError, match=r"^predictions are of shape"):
        metric.add(prediction=prediction)


def test_a_row_of_another_length_is_named(refusal: Refusal) -> None:
    assert refusal(predictions=[[3.0, 2.0], [3.0, 2.0], [3.0]]) == (
        "predictions[2] has length 1, predictions[0] has length 2; every row needs the same. Leave partial blocks out."
    )


def test_a_batch_of_another_length_is_refused(metric: Any, losses: np.ndarray) -> None:
    metric.add_batch(predictions=losses)
    with pytest.raises(
        UserError, match=r"^predictions have 255 losses per row, those added before 256; give every block the same length, or "
    ):
        metric.add_batch(predictions=losses[:, 1:])


@pytest.mark.parametrize(("value", "shown"), [(math.nan, "nan"), (math.inf, "inf"), (-math.inf, "-inf")])
def test_a_loss_that_is_not_finite_is_named_with_row_and_position(refusal: Refusal, losses: np.ndarray, value: float, shown: str) -> None:
    losses[12, 99] = value
    assert refusal(predictions=losses) == (
        f"predictions[12] at context position 100 is {shown}; "
        "look for an overflow in the logits (compute them in float32), or leave that row out."
    )


def test_log_probabilities_are_told_from_losses(refusal: Refusal, losses: np.ndarray) -> None:
    assert re.fullmatch(
        r"predictions\[0\] at context position 1 is -[\d.]+; "
        r"a negative log-likelihood is not negative: change the sign of log-probabilities\.",
        refusal(predictions=-losses),
    )


def test_a_loss_a_rounding_error_under_zero_is_accepted(metric: Any) -> None:
    assert metric.compute(predictions=[[-1e-3, 1.0]])["loss_nats"] == [-1e-3, 1.0]


@pytest.mark.parametrize(
    "predictions", [None, "losses", [["a", "b"]], [[True, False]], {"loss": 2.5}, [None], [[None, 1.0]], [[[1.0, 2.0], [1.0]]]]
)
def test_what_is_not_numbers_is_refused(refusal: Refusal, predictions: Any) -> None:
    assert refusal(predictions=predictions).startswith("predictions hold something other than numbers; give per-token losses ")


@pytest.mark.parametrize(
    ("document_ids", "sentence"),
    [
        (["a"], "there are 1 document_ids for 2 rows of predictions; give one for each row."),
        ("ab", "document_ids is the single value 'ab'; give a list with one id for each of the 2 rows."),
        (7, "document_ids is the single value 7; give a list with one id for each of the 2 rows."),
        (["a", None], "document_ids[1] is None; an id is a text or a whole number."),
        ([1.0, 2.0], "document_ids[0] is 1.0; an id is a text or a whole number."),
    ],
)
def test_wrong_document_ids_are_refused(refusal: Refusal, document_ids: Any, sentence: str) -> None:
    assert refusal(predictions=[[1.0], [2.0]], document_ids=document_ids) == sentence


OPTIONAL = {"document_ids": ["a"], "num_bytes": [[4]]}


@pytest.mark.parametrize("name", OPTIONAL)
@pytest.mark.parametrize("first", [True, False])
def test_optional_inputs_for_some_batches_only_are_refused(metric: Any, name: str, first: bool) -> None:
    metric.add_batch(predictions=[[1.0]], **({name: OPTIONAL[name]} if first else {}))
    with pytest.raises(UserError, match=rf"^{name} were given for some batches only; give them for every batch or for none\.$"):
        metric.add_batch(predictions=[[1.0]], **({} if first else {name: OPTIONAL[name]}))
    assert len(metric) == 1


@pytest.mark.parametrize("name", OPTIONAL)
def test_optional_inputs_without_losses_are_refused(metric: Any, name: str) -> None:
    metric.add_batch(predictions=[[1.0]], **OPTIONAL)
    with pytest.raises(UserError, match=rf"^{name} were given without predictions; give both, or neither after add_batch\(\)\.$"):
        metric.compute(**{name: OPTIONAL[name]})
    assert len(metric) == 1


@pytest.mark.parametrize(
    ("num_bytes", "sentence"),
    [
        (4, "num_bytes are the single number 4, predictions of shape (2, 2); give the bytes of each predicted token, one whole number"),
        ([4, 4], "num_bytes are of shape (2,), predictions of shape (2, 2); give the bytes of each predicted token, one whole number"),
        ([[4, 4, 4], [4, 4, 4]], "num_bytes are of shape (2, 3), predictions of shape (2, 2); "),
        ([[4, 4], [4]], "num_bytes[1] has length 1, num_bytes[0] has length 2; every row needs the same. "),
        ([["four", "four"]] * 2, "num_bytes hold something other than numbers; give the bytes of each predicted token, "),
        ([[4, 4], [4, 1.5]], "num_bytes[1] at context position 2 is 1.5; a token has a whole number of bytes, 0 or more."),
        ([[4, -1], [4, 4]], "num_bytes[0] at context position 2 is -1; a token has a whole number of bytes, 0 or more."),
        ([[math.nan, 4], [4, 4]], "num_bytes[0] at context position 1 is nan; a token has a whole number of bytes, 0 or more."),
    ],
)
def test_wrong_num_bytes_are_refused(refusal: Refusal, num_bytes: Any, sentence: str) -> None:
    assert refusal(predictions=[[1.0, 1.0], [2.0, 2.0]], num_bytes=num_bytes).startswith(sentence)


@pytest.mark.parametrize(
    ("confidence", "shown"),
    [
        (95, "95"),
        (0, "0"),
        (1.0, "1"),
        (-0.5, "-0.5"),
        (math.nan, "nan"),
        (np.float32(2), "2"),
        ("0.95", "'0.95'"),
        (None, "None"),
        (True, "True"),
    ],
)
def test_a_wrong_confidence_is_refused_and_costs_nothing_of_what_was_added(metric: Any, confidence: Any, shown: str) -> None:
    metric.add_batch(predictions=[[1.0]])
    with pytest.raises(UserError) as caught:
        metric.compute(confidence=confidence)
    assert str(caught.value) == f"confidence is {shown}; give a number between 0 and 1, such as 0.95 for 95 % intervals."
    assert metric.compute()["loss_nats"] == [1.0]


def test_references_are_refused(refusal: Refusal) -> None:
    assert refusal(predictions=[[1.0]], references=[[1]]).startswith("references were given; this metric needs only predictions ")


def test_several_processes_are_refused_with_the_remedy(evaluate_offline: Any, metric_folder: Path) -> None:
    with pytest.raises(UserError, match=r"^num_process=2; this metric keeps its sums in one process\. Leave num_process out and gather "):
        evaluate_offline.load(str(metric_folder), num_process=2, process_id=1)
