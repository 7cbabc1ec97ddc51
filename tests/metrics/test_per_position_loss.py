"""The evaluate module: the numbers of analysis/positions, from sums, and a sentence for every wrong input."""

import doctest
import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hf_ctxscale.analysis.positions import PositionSums, context_gain, loss_curve, mean_loss
from hf_ctxscale.study import UserError

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "hf_ctxscale" / "metrics" / "per_position_loss"
CONTEXT_TOKENS = 256


@pytest.fixture
def losses() -> np.ndarray:
    """40 blocks with a loss that falls with position."""
    random = np.random.default_rng(0)
    return 2.0 + 3.0 * np.arange(1, CONTEXT_TOKENS + 1) ** -0.5 + random.exponential(0.5, size=(40, CONTEXT_TOKENS))


@pytest.fixture
def ids() -> list[str]:
    return [f"doc-{block % 7}" for block in range(40)]


def refusal(metric: Any, **given: Any) -> str:
    with pytest.raises(UserError) as caught:
        metric.add_batch(**given)
    assert len(metric) == 0
    return str(caught.value)


# Numbers


def test_every_position_has_the_plain_mean_of_its_losses(metric: Any, losses: np.ndarray) -> None:
    results = metric.compute(predictions=losses)
    expected = [sum(float(row[t]) for row in losses) / len(losses) for t in range(CONTEXT_TOKENS)]
    np.testing.assert_allclose(results["loss_nats"], expected, rtol=1e-13)
    assert results["mean_loss_nats"] == pytest.approx(sum(expected) / len(expected), rel=1e-13)
    assert results["context_gain_nats"] == pytest.approx(sum(expected[64:128]) / 64 - sum(expected[128:]) / 128, rel=1e-12)
    assert results["context_position"] == list(range(1, CONTEXT_TOKENS + 1))
    assert results["num_tokens"] == [40] * CONTEXT_TOKENS


def test_numbers_are_those_of_position_sums(metric: Any, losses: np.ndarray, ids: list[str]) -> None:
    sums = PositionSums(CONTEXT_TOKENS)
    sums.add(losses, documents=ids)
    expected = sums.result()
    results = metric.compute(predictions=losses, document_ids=ids)
    assert results["loss_nats"] == loss_curve(expected).tolist()
    for name, estimate in (("mean_loss_nats", mean_loss(expected)), ("context_gain_nats", context_gain(expected))):
        assert [results[name], results[f"{name}_low"], results[f"{name}_high"]] == [estimate.value, estimate.low, estimate.high]
        assert results[f"{name}_low"] < results[name] < results[f"{name}_high"]
        assert results[f"{name}_reason"] is None
    assert (results["num_blocks"], results["num_documents"], results["confidence"]) == (40, 7, 0.95)


def test_uniform_logits_give_ln_vocab_at_every_position(metric: Any) -> None:
    import torch

    targets = torch.arange(6 * 16).reshape(6, 16) % 50
    losses = torch.nn.functional.cross_entropy(torch.zeros(6, 50, 16), targets, reduction="none")
    np.testing.assert_allclose(metric.compute(predictions=losses)["loss_nats"], math.log(50), rtol=1e-6)


def test_batches_of_unequal_size_equal_one_batch(metric: Any, losses: np.ndarray, ids: list[str]) -> None:
    whole = metric.compute(predictions=losses, document_ids=ids)
    for start, stop in ((0, 1), (1, 30), (30, 30), (30, 39)):
        metric.add_batch(predictions=losses[start:stop], document_ids=ids[start:stop])
    metric.add(prediction=losses[39], document_id=ids[39])
    assert len(metric) == 40
    parts = metric.compute()
    assert parts.keys() == whole.keys()
    for key, value in whole.items():
        assert parts[key] == (value if value is None else pytest.approx(value, rel=1e-12)), key


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


def test_two_loaded_metrics_share_no_sums(evaluate_offline: Any, metric: Any, losses: np.ndarray) -> None:
    other = evaluate_offline.load(str(FOLDER))
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
    results = metric.compute(predictions=losses)
    for name in ("mean_loss_nats", "context_gain_nats"):
        assert math.isfinite(results[name])
        assert results[f"{name}_low"] is results[f"{name}_high"] is None
        assert results[f"{name}_reason"] == "no document_ids were given: no interval is possible"
    assert results["num_documents"] is None


def test_one_document_has_no_interval(metric: Any, losses: np.ndarray) -> None:
    results = metric.compute(predictions=losses, document_ids=["a"] * 40)
    assert results["mean_loss_nats_low"] is None
    assert results["mean_loss_nats_reason"] == "one document: no interval is possible"


@pytest.mark.parametrize("with_ids", [True, False])
def test_a_short_context_has_no_context_gain(metric: Any, losses: np.ndarray, ids: list[str], with_ids: bool) -> None:
    results = metric.compute(predictions=losses[:, :255], document_ids=ids if with_ids else None)
    assert results["context_gain_nats"] is results["context_gain_nats_low"] is results["context_gain_nats_high"] is None
    assert results["context_gain_nats_reason"] == "the context gain needs a context of 256 tokens or more; this one has 255"


def test_results_are_plain_values_that_json_can_hold(metric: Any, losses: np.ndarray, ids: list[str]) -> None:
    results = metric.compute(predictions=losses, document_ids=ids)
    assert json.loads(json.dumps(results, allow_nan=False)) == results


def test_the_keys_are_those_of_the_card_and_none_is_the_trainers(metric: Any, losses: np.ndarray) -> None:
    keys = set(metric.compute(predictions=losses))
    estimates = {f"{name}{end}" for name in ("mean_loss_nats", "context_gain_nats") for end in ("", "_low", "_high", "_reason")}
    assert keys == estimates | {"context_position", "loss_nats", "num_tokens", "num_blocks", "num_documents", "confidence"}
    # With the prefix that the Trainer gives, a key `loss` would become its own eval_loss.
    assert not keys & {"loss", "eval_loss"}
    card, docstring = (FOLDER / "README.md").read_text(), metric.inputs_description
    for key in keys:
        stem = re.sub(r"_(low|high|reason)$", "", key)
        assert f"`{stem}`" in card, key
        assert stem in docstring, key


# Wrong input


@pytest.mark.parametrize("scalar", [2.5, np.float32(2.5), np.array(2.5)])
def test_a_mean_loss_is_refused_and_not_broadcast_into_a_flat_curve(metric: Any, scalar: Any) -> None:
    assert refusal(metric, predictions=scalar) == (
        "predictions are the single number 2.5; give per-token losses of shape (B, T), unreduced, "
        "as of cross_entropy(..., reduction='none')."
    )


def test_a_scalar_tensor_is_refused(metric: Any) -> None:
    import torch

    assert refusal(metric, predictions=torch.tensor(2.5)).startswith("predictions are the single number 2.5; ")


@pytest.mark.parametrize("shape", [(3,), (0,), (2, 0), (2, 4, 50)])
def test_another_shape_than_blocks_by_positions_is_refused(metric: Any, shape: tuple[int, ...]) -> None:
    for predictions in (np.ones(shape), np.ones(shape).tolist()):
        assert refusal(metric, predictions=predictions).startswith(
            f"predictions are of shape {shape}; give per-token losses of shape (B, T)"
        )


def test_one_block_without_its_batch_is_refused_by_add_batch_and_taken_by_add(metric: Any) -> None:
    assert refusal(metric, predictions=[3.0, 2.0]).startswith("predictions are of shape (2,); ")
    metric.add(prediction=[3.0, 2.0])
    assert metric.compute()["loss_nats"] == [3.0, 2.0]


@pytest.mark.parametrize("prediction", [2.5, [[3.0, 2.0]]])
def test_add_refuses_what_is_not_one_block(metric: Any, prediction: Any) -> None:
    with pytest.raises(UserError, match=r"^predictions are of shape"):
        metric.add(prediction=prediction)


def test_a_row_of_another_length_is_named(metric: Any) -> None:
    assert refusal(metric, predictions=[[3.0, 2.0], [3.0, 2.0], [3.0]]) == (
        "predictions[2] has length 1, predictions[0] has length 2; every row needs the same. Leave partial blocks out."
    )


def test_a_batch_of_another_length_is_refused(metric: Any, losses: np.ndarray) -> None:
    metric.add_batch(predictions=losses)
    with pytest.raises(
        UserError, match=r"^predictions have 255 losses per row, those added before 256; give every block the same length, or "
    ):
        metric.add_batch(predictions=losses[:, 1:])


@pytest.mark.parametrize(("value", "shown"), [(math.nan, "nan"), (math.inf, "inf"), (-math.inf, "-inf")])
def test_a_loss_that_is_not_finite_is_named_with_row_and_position(metric: Any, losses: np.ndarray, value: float, shown: str) -> None:
    losses[12, 99] = value
    assert refusal(metric, predictions=losses) == (
        f"predictions[12] at context position 100 is {shown}; "
        "look for an overflow in the logits (compute them in float32), or leave that row out."
    )


def test_log_probabilities_are_told_from_losses(metric: Any, losses: np.ndarray) -> None:
    assert re.fullmatch(
        r"predictions\[0\] at context position 1 is -[\d.]+; "
        r"a negative log-likelihood is not negative: change the sign of log-probabilities\.",
        refusal(metric, predictions=-losses),
    )


def test_a_loss_a_rounding_error_under_zero_is_accepted(metric: Any) -> None:
    assert metric.compute(predictions=[[-1e-3, 1.0]])["loss_nats"] == [-1e-3, 1.0]


@pytest.mark.parametrize(
    "predictions", [None, "losses", [["a", "b"]], [[True, False]], {"loss": 2.5}, [None], [[None, 1.0]], [[[1.0, 2.0], [1.0]]]]
)
def test_what_is_not_numbers_is_refused(metric: Any, predictions: Any) -> None:
    assert refusal(metric, predictions=predictions).startswith("predictions hold something other than numbers; give per-token losses ")


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
def test_wrong_document_ids_are_refused(metric: Any, document_ids: Any, sentence: str) -> None:
    assert refusal(metric, predictions=[[1.0], [2.0]], document_ids=document_ids) == sentence


@pytest.mark.parametrize("order", [(None, ["a"]), (["a"], None)])
def test_ids_for_some_batches_only_are_refused(metric: Any, order: tuple[Any, Any]) -> None:
    metric.add_batch(predictions=[[1.0]], document_ids=order[0])
    with pytest.raises(UserError, match=r"^document_ids were given for some batches only; give them for every batch or for none\.$"):
        metric.add_batch(predictions=[[1.0]], document_ids=order[1])


def test_ids_without_losses_are_refused(metric: Any) -> None:
    with pytest.raises(UserError, match=r"^document_ids were given without predictions; "):
        metric.compute(document_ids=["a"])


def test_references_are_refused(metric: Any) -> None:
    assert refusal(metric, predictions=[[1.0]], references=[[1]]).startswith("references were given; this metric needs only predictions ")


def test_several_processes_are_refused_with_the_remedy(evaluate_offline: Any) -> None:
    with pytest.raises(UserError, match=r"^num_process=2; this metric keeps its sums in one process\. Leave num_process out and gather "):
        evaluate_offline.load(str(FOLDER), num_process=2, process_id=1)


# Memory and files


def test_no_rows_are_kept_and_no_file_is_written(metric: Any, losses: np.ndarray, ids: list[str]) -> None:
    def num_values() -> int:
        return sum(array.size for array in vars(metric._sums).values() if isinstance(array, np.ndarray))

    metric.add_batch(predictions=losses, document_ids=ids)
    before = num_values()
    assert before > 0
    for _ in range(20):
        metric.add_batch(predictions=losses, document_ids=ids)
    assert num_values() == before
    # No attribute of the module or of its sums holds the blocks.
    for holder in (metric, metric._sums):
        for name, value in vars(holder).items():
            if isinstance(value, (list, tuple, set)) or (isinstance(value, dict) and not name.startswith("_info")):
                assert len(value) <= 7, name
    assert metric.data is None
    assert metric.writer is None
    assert not [path for path in Path(metric.data_dir).rglob("*") if path.is_file()]


def test_it_loads_offline_from_a_copied_folder_in_a_fresh_process(tmp_path: Path) -> None:
    copied = shutil.copytree(FOLDER, tmp_path / "elsewhere" / "per_position_loss")
    code = f"""
import socket
def refuse(*args): raise AssertionError("the network was asked for")
socket.socket.connect = refuse
import evaluate
for folder in ({str(FOLDER)!r}, {str(copied)!r}, {str(copied / "per_position_loss.py")!r}):
    metric = evaluate.load(folder)
    print(metric.compute(predictions=[[4.0, 2.0], [2.0, 1.0]], document_ids=["a", "b"])["loss_nats"])
"""
    home = tmp_path / "home"
    offline = {"HF_HUB_OFFLINE": "1", "HF_EVALUATE_OFFLINE": "1", "HF_HOME": str(home), "HOME": str(home), "OMP_NUM_THREADS": "1"}
    environment = {**os.environ, **offline, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["[3.0, 1.5]"] * 3


# Documentation


def test_the_examples_of_the_docstring_run(metric: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    results = doctest.testmod(sys.modules[type(metric).__module__], raise_on_error=False)
    assert results.attempted >= 6
    assert results.failed == 0


@pytest.mark.usefixtures("evaluate_offline")
def test_the_examples_of_the_card_run() -> None:
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    examples = "\n\n".join(re.findall(r"^```python\n(.*?)^```$", card, flags=re.DOTALL | re.MULTILINE))
    test = doctest.DocTestParser().get_doctest(examples, {}, "README.md", str(FOLDER / "README.md"), 0)
    assert len(test.examples) == card.count("\n>>> ") >= 12
    assert doctest.DocTestRunner().run(test).failed == 0


def test_the_card_has_the_front_matter_of_a_metric() -> None:
    from huggingface_hub import RepoCard

    card = RepoCard.load(FOLDER / "README.md")
    assert card.data.title == "Per-Position Loss"
    assert card.data.sdk == "gradio"
    assert card.data.emoji
    assert {"evaluate", "metric"} <= set(card.data.tags)
    for heading in ("Metric Description", "How to Use", "Inputs", "Output Values", "Limitations and Bias", "Citation"):
        assert re.search(rf"^##+ {heading}$", card.text, flags=re.MULTILINE), heading
    assert "lower is better" in card.text
    assert "larger means more use" in card.text


def test_evaluate_finds_every_import_of_the_module(evaluate_offline: Any) -> None:
    found = {name for _, name, _, _ in evaluate_offline.loading.get_imports(str(FOLDER / "per_position_loss.py"))}
    assert {"datasets", "evaluate", "numpy", "hf_ctxscale"} <= found
    assert not re.search(r"^import .*,", (FOLDER / "per_position_loss.py").read_text(), flags=re.MULTILINE)
