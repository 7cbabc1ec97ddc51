"""Losses by bin: what a condensed study keeps in place of losses by position, and how they are opened."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from hf_ctxscale.analysis.condensed import binned_losses_file, load_binned, open_losses, save_binned
from hf_ctxscale.analysis.positions import (
    PositionLosses,
    Statistic,
    bits_per_byte,
    estimate,
    last_octave,
    log_bins,
    loss_curve,
    save_losses,
    window_means,
)
from hf_ctxscale.columns import LOSSES_SCHEMA
from hf_ctxscale.study import UserError

Maker = Callable[..., PositionLosses]
CURVE = 3.0 + 2.0 * np.arange(1, 257.0) ** -0.5


@pytest.fixture
def uneven(make_losses: Maker) -> PositionLosses:
    """Losses of documents with another number of tokens, of other lengths, at every position; some positions without any."""
    losses, rng = make_losses(CURVE), np.random.default_rng(0)
    keep = rng.random(losses.num_tokens.shape) < 0.8
    num_tokens = np.where(keep, losses.num_tokens, 0)
    num_bytes = np.where(keep, rng.integers(1, 9, keep.shape) * losses.num_tokens, 0)
    return PositionLosses(losses.documents, losses.num_blocks, num_tokens, num_bytes, np.where(keep, losses.loss_sum_nats, 0.0))


def test_every_window_of_whole_bins_is_that_of_the_full_file_document_by_document(uneven: PositionLosses, tmp_path: Path) -> None:
    bins = log_bins(256)
    save_binned(tmp_path / "binned.parquet", uneven, bins=bins)
    opened = load_binned(tmp_path / "binned.parquet")
    assert opened.documents == uneven.documents
    assert np.array_equal(opened.num_blocks, uneven.num_blocks)
    windows = [*bins, (65, 128), (129, 256), (1, 256)]
    np.testing.assert_allclose(window_means(opened, windows), window_means(uneven, windows), rtol=1e-13)
    for name in ("num_tokens", "num_bytes"):
        starts = [first - 1 for first, _ in bins]
        sums = [np.add.reduceat(getattr(losses, name), starts, axis=1) for losses in (opened, uneven)]
        assert np.array_equal(*sums)
        assert getattr(opened, name).dtype == np.int64
    for statistic in (Statistic(((65, 128), last_octave(256)), (1.0, -1.0)),):
        full, binned = estimate(uneven, statistic=statistic), estimate(opened, statistic=statistic)
        assert (binned.value, binned.low, binned.high) == pytest.approx((full.value, full.low, full.high), rel=1e-11)
    assert bits_per_byte(opened).value == pytest.approx(bits_per_byte(uneven).value, rel=1e-13)


def test_the_mean_curve_inside_a_bin_is_kept_where_positions_weigh_alike(make_losses: Maker, tmp_path: Path) -> None:
    losses = make_losses(CURVE)
    save_binned(tmp_path / "binned.parquet", losses, bins=log_bins(256))
    opened = load_binned(tmp_path / "binned.parquet")
    assert np.array_equal(opened.num_tokens, losses.num_tokens)
    np.testing.assert_allclose(loss_curve(opened), loss_curve(losses), rtol=1e-6)


def test_losses_of_zero_and_positions_without_tokens_stay_what_they_are(make_losses: Maker, tmp_path: Path) -> None:
    losses = make_losses(CURVE)
    num_tokens, loss_sum = losses.num_tokens.copy(), losses.loss_sum_nats.copy()
    loss_sum[:, 128:] = 0.0
    num_tokens[:, :8], loss_sum[:, :8] = 0, 0.0
    given = PositionLosses(losses.documents, losses.num_blocks, num_tokens, losses.num_bytes, loss_sum)
    save_binned(tmp_path / "binned.parquet", given, bins=log_bins(256))
    opened = load_binned(tmp_path / "binned.parquet")
    assert not opened.num_tokens[:, :8].any()
    assert not opened.loss_sum_nats[:, 128:].any()
    np.testing.assert_allclose(opened.loss_sum_nats.sum(axis=1), loss_sum.sum(axis=1), rtol=1e-13)


def test_the_file_is_several_times_smaller_and_has_the_columns_of_the_full_one(make_losses: Maker, tmp_path: Path) -> None:
    losses = make_losses(CURVE, num_documents=100, noise_sd=2.0)
    save_losses(tmp_path / "full.parquet", losses)
    save_binned(tmp_path / "binned.parquet", losses, bins=log_bins(256))
    sizes = [(tmp_path / f"{name}.parquet").stat().st_size for name in ("full", "binned")]
    assert 5 * sizes[1] < sizes[0]
    assert pq.read_schema(tmp_path / "binned.parquet").equals(LOSSES_SCHEMA)


def test_full_losses_come_before_those_by_bin_and_their_absence_is_said(maker: Any, make_losses: Maker) -> None:
    losses = make_losses(CURVE)
    study = maker.study
    save_binned(binned_losses_file(study, "one"), losses, bins=log_bins(256))
    assert open_losses(study, "one").context_tokens == 256
    save_losses(study.losses_file("one"), make_losses(CURVE[:64]))
    assert open_losses(study, "one").context_tokens == 64
    with pytest.raises(UserError, match=r"losses\.parquet does not exist; score the model first"):
        open_losses(study, "two")


def test_a_table_that_does_not_name_its_bins_is_refused(make_losses: Maker, tmp_path: Path) -> None:
    path = tmp_path / "losses_by_bin.parquet"
    save_losses(path, make_losses(CURVE))
    with pytest.raises(UserError, match="does not say which positions its bins hold; make it again with `hf-ctxscale condense`"):
        load_binned(path)
    save_binned(path, make_losses(CURVE), bins=log_bins(256))
    table = pq.read_table(path)
    for bins, curve in ((b"[[1, 256]]", b"[]"), (b"[]", b"[]"), (b"17", b"[]")):
        pq.write_table(table.replace_schema_metadata({b"bins": bins, b"loss_curve_nats": curve}), path)
        with pytest.raises(UserError, match="make it again with `hf-ctxscale condense`"):
            load_binned(path)
