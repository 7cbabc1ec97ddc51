"""The evaluate module: the numbers of analysis/positions, from sums, for every kind of input."""

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hf_ctxscale.analysis.positions import PositionSums, bits_per_byte, context_gain, in_context_score, log_bins, loss_curve, mean_loss
from hf_ctxscale.study import UserError

CONTEXT_TOKENS = 256


def test_every_position_has_the_plain_mean_of_its_losses(metric: Any, losses: np.ndarray) -> None:
    results = metric.compute(predictions=losses)
    expected = [sum(float(row[t]) for row in losses) / len(losses) for t in range(CONTEXT_TOKENS)]
    np.testing.assert_allclose(results["loss_nats"], expected, rtol=1e-13)
    assert results["mean_loss_nats"] == pytest.approx(sum(expected) / len(expected), rel=1e-13)
    assert results["context_gain_nats"] == pytest.approx(sum(expected[64:128]) / 64 - sum(expected[128:]) / 128, rel=1e-12)
    assert results["context_position"] == list(range(1, CONTEXT_TOKENS + 1))
    assert results["num_tokens"] == [40] * CONTEXT_TOKENS


@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_numbers_are_those_of_position_sums(metric: Any, confidence: float) -> None:
    random = np.random.default_rng(1)
    losses, num_bytes = random.exponential(3.0, size=(30, 512)), random.integers(0, 9, size=(30, 512))
    ids = [str(block % 11) for block in range(30)]
    sums = PositionSums(512)
    sums.add(losses, documents=ids, num_bytes_BT=num_bytes)
    expected = sums.result()
    results = metric.compute(predictions=losses, document_ids=ids, num_bytes=num_bytes, confidence=confidence)
    assert results["loss_nats"] == loss_curve(expected).tolist()
    for name, estimate in (
        ("mean_loss_nats", mean_loss(expected, confidence=confidence)),
        ("bits_per_byte", bits_per_byte(expected, confidence=confidence)),
        ("context_gain_nats", context_gain(expected, confidence=confidence)),
        ("in_context_score_nats", in_context_score(expected, confidence=confidence)),
    ):
        assert [results[name], results[f"{name}_low"], results[f"{name}_high"]] == [estimate.value, estimate.low, estimate.high]
        assert results[f"{name}_low"] < results[name] < results[f"{name}_high"]
        assert results[f"{name}_reason"] is None
    bins = list(zip(results["position_from"], results["position_to"], strict=True))
    assert bins == list(log_bins(512))
    estimates = [mean_loss(expected, positions=positions, confidence=confidence) for positions in bins]
    for key, name in (("bin_loss_nats", "value"), ("bin_loss_nats_low", "low"), ("bin_loss_nats_high", "high")):
        assert results[key] == [getattr(estimate, name) for estimate in estimates]
    assert results["bin_loss_nats_reason"] is None
    assert (results["num_blocks"], results["num_documents"], results["confidence"]) == (30, 11, confidence)


def test_bits_per_byte_are_all_losses_over_all_bytes(metric: Any) -> None:
    results = metric.compute(predictions=[[2.0, 1.0], [4.0, 1.0]], num_bytes=[[4, 2], [0, 2]])
    assert results["bits_per_byte"] == pytest.approx(8.0 / math.log(2) / 8, rel=1e-14)


def test_a_higher_confidence_gives_a_wider_interval_round_the_same_value(metric: Any, losses: np.ndarray, ids: list[str]) -> None:
    narrow, default, wide = (
        metric.compute(predictions=losses, document_ids=ids, **given) for given in ({"confidence": 0.5}, {}, {"confidence": 0.99})
    )
    assert default["confidence"] == 0.95
    for name in ("mean_loss_nats", "context_gain_nats"):
        assert narrow[name] == default[name] == wide[name]
        assert wide[f"{name}_low"] < default[f"{name}_low"] < narrow[f"{name}_low"]
    for low_wide, low_narrow in zip(wide["bin_loss_nats_low"], narrow["bin_loss_nats_low"], strict=True):
        assert low_wide < low_narrow


def test_uniform_logits_give_ln_vocab_at_every_position(metric: Any) -> None:
    import torch

    targets = torch.arange(6 * 16).reshape(6, 16) % 50
    losses = torch.nn.functional.cross_entropy(torch.zeros(6, 50, 16), targets, reduction="none")
    np.testing.assert_allclose(metric.compute(predictions=losses)["loss_nats"], math.log(50), rtol=1e-6)


def test_batches_of_unequal_size_equal_one_batch(metric: Any, losses: np.ndarray, ids: list[str]) -> None:
    num_bytes = np.random.default_rng(2).integers(1, 9, size=losses.shape)
    whole = metric.compute(predictions=losses, document_ids=ids, num_bytes=num_bytes)
    for start, stop in ((0, 1), (1, 30), (30, 30), (30, 39)):
        metric.add_batch(predictions=losses[start:stop], document_ids=ids[start:stop], num_bytes=num_bytes[start:stop])
    metric.add(prediction=losses[39], document_id=ids[39], num_bytes=num_bytes[39])
    assert len(metric) == 40
    parts = metric.compute()
    assert parts.keys() == whole.keys()
    for key, value in whole.items():
        has_numbers = isinstance(value, (int, float, list)) and not key.endswith("_reason")
        assert parts[key] == (pytest.approx(value, rel=1e-12) if has_numbers else value), key


def test_what_was_added_and_what_compute_is_given_count_together(metric: Any, losses: np.ndarray) -> None:
    metric.add_batch(predictions=losses[:10])
    assert metric.compute(predictions=losses[10:])["num_blocks"] == 40


def test_the_order_of_batches_does_not_matter(metric: Any, losses: np.ndarray, ids: list[str]) -> None:
    forwards = metric.compute(predictions=losses, document_ids=ids)
    for block in reversed(range(40)):
        metric.add_batch(predictions=losses[block : block + 1], document_ids=[ids[block]])
    backwards = metric.compute()
    for key in ("mean_loss_nats", "mean_loss_nats_low", "context_gain_nats", "context_gain_nats_high", "loss_nats"):
        assert backwards[key] == pytest.approx(forwards[key], rel=1e-9), key


def test_compute_leaves_nothing_for_the_next_compute(metric: Any, losses: np.ndarray, ids: list[str]) -> None:
    first = metric.compute(predictions=losses[:5], document_ids=ids[:5])
    metric.compute(predictions=losses[5:, :16])
    assert len(metric) == 0
    assert metric.compute(predictions=losses[:5], document_ids=ids[:5]) == first
    with pytest.raises(UserError, match=r"^there are no losses to compute from; pass predictions, or call add_batch\(\) first\.$"):
        metric.compute()


def test_two_loaded_metrics_share_no_sums(evaluate_offline: Any, metric_folder: Path, metric: Any, losses: np.ndarray) -> None:
    other = evaluate_offline.load(str(metric_folder))
    other.add_batch(predictions=losses)
    assert metric.compute(predictions=losses[:2])["num_blocks"] == 2


def test_a_refused_batch_adds_nothing(metric: Any, losses: np.ndarray, ids: list[str]) -> None:
    metric.add_batch(predictions=losses[:3], document_ids=ids[:3])
    spoilt = losses[3:6].copy()
    spoilt[2, 7] = math.nan
    with pytest.raises(UserError):
        metric.add_batch(predictions=spoilt, document_ids=ids[3:6])
    assert len(metric) == 3
    assert metric.compute()["num_tokens"] == [3] * CONTEXT_TOKENS


# Kinds of input


def test_tensors_arrays_and_lists_give_the_same(metric: Any, losses: np.ndarray, ids: list[str]) -> None:
    import torch

    expected = metric.compute(predictions=losses, document_ids=ids)
    tensor = torch.tensor(losses, requires_grad=True)
    numbers = [int(text[-1]) for text in ids]
    for predictions, document_ids in (
        (losses.tolist(), ids),
        (list(losses), tuple(ids)),
        (tensor, torch.tensor(numbers)),
        (list(tensor), np.array(numbers)),
        (np.asfortranarray(losses), np.array(ids)),
    ):
        assert metric.compute(predictions=predictions, document_ids=document_ids) == expected


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_low_precision_tensors_are_summed_in_float64(metric: Any, dtype: str) -> None:
    import torch

    # 1/3 is rounded once, when the tensor is made; a sum kept in bfloat16 would stop growing at 256 of them.
    tensor = torch.full((3000, 2), 1 / 3).to(getattr(torch, dtype))
    rounded = float(tensor[0, 0])
    assert metric.compute(predictions=tensor)["loss_nats"] == pytest.approx([rounded, rounded], rel=1e-12)


def test_ids_that_are_numbers_and_their_texts_are_one_document(metric: Any) -> None:
    assert metric.compute(predictions=[[1.0], [2.0]], document_ids=[7, "7"])["num_documents"] == 1


# What cannot be measured is None with a reason


def test_without_ids_there_is_no_interval(metric: Any, losses: np.ndarray) -> None:
    results = metric.compute(predictions=losses, num_bytes=np.full(losses.shape, 4))
    for name in ("mean_loss_nats", "bits_per_byte", "context_gain_nats"):
        assert math.isfinite(results[name])
        assert results[f"{name}_low"] is results[f"{name}_high"] is None
        assert results[f"{name}_reason"] == "no document_ids were given: no interval is possible"
    assert all(math.isfinite(loss) for loss in results["bin_loss_nats"])
    assert set(results["bin_loss_nats_low"]) == set(results["bin_loss_nats_high"]) == {None}
    assert results["bin_loss_nats_reason"] == "no document_ids were given: no interval is possible"
    assert results["num_documents"] is None


@pytest.mark.parametrize("with_ids", [True, False])
def test_without_bytes_there_are_no_bits_per_byte(metric: Any, losses: np.ndarray, ids: list[str], with_ids: bool) -> None:
    results = metric.compute(predictions=losses, document_ids=ids if with_ids else None)
    assert results["bits_per_byte"] is results["bits_per_byte_low"] is results["bits_per_byte_high"] is None
    assert results["bits_per_byte_reason"] == "no num_bytes were given: the number of bytes per token is not known"


def test_one_document_has_no_interval(metric: Any, losses: np.ndarray) -> None:
    results = metric.compute(predictions=losses, document_ids=["a"] * 40)
    assert results["mean_loss_nats_low"] is None
    assert results["mean_loss_nats_reason"] == results["bin_loss_nats_reason"] == "one document: no interval is possible"


@pytest.mark.parametrize("with_ids", [True, False])
def test_a_short_context_has_no_context_gain(metric: Any, losses: np.ndarray, ids: list[str], with_ids: bool) -> None:
    results = metric.compute(predictions=losses[:, :255], document_ids=ids if with_ids else None)
    assert results["context_gain_nats"] is results["context_gain_nats_low"] is results["context_gain_nats_high"] is None
    assert results["context_gain_nats_reason"] == "the context gain needs a context of 256 tokens or more; this one has 255"
    assert results["in_context_score_nats"] is results["in_context_score_nats_low"] is None
    assert results["in_context_score_nats_reason"] == "needs a context of 512 tokens or more; this one has 255"


def test_results_are_plain_values_that_json_can_hold(metric: Any, losses: np.ndarray, ids: list[str]) -> None:
    results = metric.compute(predictions=losses, document_ids=ids)
    assert json.loads(json.dumps(results, allow_nan=False)) == results


def test_the_keys_are_those_of_the_card_and_none_is_the_trainers(metric: Any, metric_folder: Path, losses: np.ndarray) -> None:
    keys = set(metric.compute(predictions=losses))
    names = ("mean_loss_nats", "bits_per_byte", "context_gain_nats", "in_context_score_nats", "bin_loss_nats")
    estimates = {f"{name}{end}" for name in names for end in ("", "_low", "_high", "_reason")}
    others = {"context_position", "loss_nats", "num_tokens", "position_from", "position_to", "num_blocks", "num_documents", "confidence"}
    assert keys == estimates | others
    # With the prefix that the Trainer gives, a key `loss` would become its own eval_loss.
    assert not keys & {"loss", "eval_loss"}
    card, docstring = (metric_folder / "README.md").read_text(), metric.inputs_description
    for key in keys:
        stem = re.sub(r"_(low|high|reason)$", "", key)
        assert f"`{stem}`" in card, key
        assert re.search(rf"\b{stem}\b", docstring), key
