"""Running sums: definitions, independence of batching, bad input, and the parquet round trip."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hf_ctxscale.analysis.positions import PositionLosses, PositionSums, load_losses, loss_curve, mean_loss, save_losses
from hf_ctxscale.columns import LOSSES_SCHEMA
from hf_ctxscale.study import UserError


def batches(*, num_batches: int = 12, context_tokens: int = 8, seed: int = 0) -> list[tuple[np.ndarray, list[str], np.ndarray, np.ndarray]]:
    """Losses, documents, bytes and masks of batches of unequal size in which documents recur."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(num_batches):
        num = int(rng.integers(1, 6))
        shape = (num, context_tokens)
        ids = [f"d{i}" for i in rng.integers(0, 7, num)]
        made.append((rng.gamma(3.0, size=shape), ids, rng.integers(1, 5, shape), rng.random(shape) < 0.8))
    return made


def summed(parts: list[tuple[np.ndarray, list[str], np.ndarray, np.ndarray]]) -> PositionLosses:
    sums = PositionSums(parts[0][0].shape[1])
    for losses, ids, num_bytes, mask in parts:
        sums.add(losses, documents=ids, num_bytes_BT=num_bytes, mask_BT=mask)
    return sums.result()


def by_document(losses: PositionLosses) -> dict[str, tuple]:
    return {
        document: (int(n), tuple(tokens), tuple(num_bytes), tuple(np.round(sums, 9)))
        for document, n, tokens, num_bytes, sums in zip(
            losses.documents, losses.num_blocks, losses.num_tokens, losses.num_bytes, losses.loss_sum_nats, strict=True
        )
    }


def test_sums_match_a_plain_loop_over_every_token() -> None:
    parts = batches()
    result = summed(parts)
    tokens: dict = {}
    for losses, ids, num_bytes, mask in parts:
        for b, document in enumerate(ids):
            for t in range(losses.shape[1]):
                count, size, total = tokens.get((document, t), (0, 0, 0.0))
                if mask[b, t]:
                    count, size, total = count + 1, size + int(num_bytes[b, t]), total + float(losses[b, t])
                tokens[document, t] = (count, size, total)
    for d, document in enumerate(result.documents):
        for t in range(result.context_tokens):
            count, size, total = tokens[document, t]
            assert result.num_tokens[d, t] == count
            assert result.num_bytes[d, t] == size
            assert result.loss_sum_nats[d, t] == pytest.approx(total, abs=1e-12)
    assert result.num_blocks.sum() == sum(len(ids) for _, ids, _, _ in parts)


def test_documents_come_in_order_of_first_appearance() -> None:
    sums = PositionSums(2)
    sums.add(np.ones((3, 2)), documents=["b", "a", "b"])
    sums.add(np.ones((2, 2)), documents=["c", "a"])
    assert sums.result().documents == ("b", "a", "c")
    assert sums.result().num_blocks.tolist() == [2, 2, 1]


def test_order_of_batches_does_not_matter() -> None:
    parts = batches()
    assert by_document(summed(parts)) == by_document(summed(parts[::-1]))


def test_a_batch_of_many_equals_batches_of_one() -> None:
    parts = batches()
    ones = [(x[b : b + 1], ids[b : b + 1], n[b : b + 1], m[b : b + 1]) for x, ids, n, m in parts for b in range(len(ids))]
    assert by_document(summed(parts)) == by_document(summed(ones))


def test_many_documents_are_kept_apart_while_the_arrays_grow() -> None:
    sums = PositionSums(1)
    for i in range(1000):
        sums.add([[float(i)]], documents=[f"d{i}"])
    result = sums.result()
    assert result.loss_sum_nats[:, 0].tolist() == list(range(1000))
    assert result.num_tokens.sum() == 1000


def test_unequal_batches_weigh_by_tokens_not_by_batch() -> None:
    sums = PositionSums(2)
    sums.add(np.full((9, 2), 1.0), documents=["a"] * 9)
    sums.add(np.full((1, 2), 11.0), documents=["b"])
    assert loss_curve(sums.result()) == pytest.approx([2.0, 2.0])  # the mean of the two batch means would be 6
    assert mean_loss(sums.result()).value == pytest.approx(2.0)


def test_float32_losses_are_summed_in_float64() -> None:
    sums = PositionSums(1)
    sums.add(np.full((1, 1), 2.0**24, dtype=np.float32), documents=["a"])
    for _ in range(4):
        sums.add(np.ones((1, 1), dtype=np.float32), documents=["a"])
    assert sums.result().loss_sum_nats[0, 0] == 2.0**24 + 4  # in float32 the ones would vanish


def test_ids_of_numbers_and_arrays_are_the_same_documents() -> None:
    sums = PositionSums(1)
    sums.add([[1.0], [1.0]], documents=np.array([3, 4]))
    sums.add([[1.0], [1.0]], documents=[3, "4"])
    assert sums.result().documents == ("3", "4")


def test_masked_losses_may_be_nan_and_do_not_count() -> None:
    sums = PositionSums(2)
    sums.add([[1.0, np.nan]], documents=["a"], num_bytes_BT=[[2, 5]], mask_BT=[[1, 0]])
    result = sums.result()
    assert result.loss_sum_nats.tolist() == [[1.0, 0.0]]
    assert result.num_tokens.tolist() == [[1, 0]]
    assert result.num_bytes.tolist() == [[2, 0]]


@pytest.mark.parametrize("losses", [3.0, [3.0, 3.0], [[3.0], [3.0]], [[3.0, 3.0, 3.0]] * 2, [[3.0, 3.0]] * 3])
def test_losses_of_another_shape_are_refused_and_nothing_is_broadcast(losses: object) -> None:
    sums = PositionSums(2)
    with pytest.raises(UserError, match=r"losses have shape .*\(2, 2\) is needed"):
        sums.add(losses, documents=["a", "b"])
    assert sums.result().documents == ()


def test_a_loss_that_is_not_finite_is_refused_and_nothing_is_added() -> None:
    sums = PositionSums(2)
    with pytest.raises(UserError, match="1 of 4 losses are not finite"):
        sums.add([[1.0, 2.0], [np.inf, 1.0]], documents=["a", "b"])
    assert sums.result().documents == ()


def test_a_mask_of_another_shape_is_refused() -> None:
    with pytest.raises(UserError, match=r"mask has shape \(2,\)"):
        PositionSums(2).add([[1.0, 2.0]], documents=["a"], mask_BT=[1, 1])


def test_saved_losses_come_back_bit_for_bit(tmp_path: Path) -> None:
    losses = summed(batches(context_tokens=5))
    save_losses(tmp_path / "losses.parquet", losses)
    again = load_losses(tmp_path / "losses.parquet")
    assert again.documents == losses.documents
    for name in ("num_blocks", "num_tokens", "num_bytes", "loss_sum_nats"):
        ours, theirs = getattr(losses, name), getattr(again, name)
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)
    assert pq.read_schema(tmp_path / "losses.parquet").equals(LOSSES_SCHEMA)


def test_missing_or_foreign_files_are_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist; score the model first"):
        load_losses(tmp_path / "losses.parquet")
    (tmp_path / "text.parquet").write_text("hello")
    with pytest.raises(UserError, match="is not a table of losses by position"):
        load_losses(tmp_path / "text.parquet")
    pq.write_table(pa.table({"document": ["a"]}), tmp_path / "other.parquet")
    with pytest.raises(UserError, match=r"other\.parquet"):
        load_losses(tmp_path / "other.parquet")
    row = {"document": "a", "num_blocks": 1}
    ragged = [row | {name: [1] * num for name in ("num_tokens", "num_bytes", "loss_sum_nats")} for num in (1, 3)]
    pq.write_table(pa.Table.from_pylist(ragged, schema=LOSSES_SCHEMA), tmp_path / "ragged.parquet")
    with pytest.raises(UserError, match="rows of unequal length"):
        load_losses(tmp_path / "ragged.parquet")
