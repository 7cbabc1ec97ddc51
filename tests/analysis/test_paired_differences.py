"""Differences of two recipes along the context, paired by document, with simultaneous limits."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hf_ctxscale.analysis.bands import simultaneous_band
from hf_ctxscale.analysis.measured import load_measured
from hf_ctxscale.analysis.paired_differences import paired_differences, position_differences
from hf_ctxscale.analysis.positions import PositionLosses, log_bins, mean_statistic, paired_difference

Maker = Callable[..., PositionLosses]
T256 = np.arange(1, 257.0)


def test_values_are_the_paired_differences_bin_by_bin(make_losses: Maker) -> None:
    first, second = make_losses(3 + 0 * T256, noise_seed=1), make_losses(2 + T256**-0.5, noise_seed=2)
    curve = position_differences([first], [second], weights_D=first.num_tokens.sum(axis=1))
    assert curve.bins == log_bins(256)
    for (low, high), value, std_error in zip(curve.bins, curve.band.value_W, curve.band.std_error_W, strict=True):
        expected = paired_difference(first, second, statistic=mean_statistic(low, high))
        assert value == pytest.approx(expected.value, rel=1e-12)
        assert std_error == pytest.approx(expected.std_error, rel=1e-9)
    assert (curve.band.low_W < curve.band.value_W).all()


def test_equal_models_differ_by_nothing_whatever_their_documents(make_losses: Maker) -> None:
    losses = make_losses(3 + T256**-0.5, document_sd=2.0)
    curve = position_differences([losses], [losses], weights_D=losses.num_tokens.sum(axis=1))
    for values in (curve.band.value_W, curve.band.low_W, curve.band.high_W):
        assert not values.any()


def test_seeds_weigh_the_same(make_losses: Maker) -> None:
    seeds = [make_losses(level + 0 * T256, noise_seed=n) for n, level in enumerate((3.0, 3.6))]
    other = make_losses(3 + 0 * T256, noise_seed=7)
    curve = position_differences(seeds, [other], weights_D=other.num_tokens.sum(axis=1))
    np.testing.assert_allclose(curve.band.value_W, 0.3, atol=0.01)


def test_limits_hold_at_all_positions_at_once_as_often_as_they_claim(make_losses: Maker) -> None:
    curves = [3 + 0 * T256, 2.9 - 0.1 * np.log(T256)]
    held = 0
    for seed in range(200):
        first, second = (make_losses(c, noise_sd=1.0, seed=seed, noise_seed=2 * seed + i) for i, c in enumerate(curves))
        band = position_differences([first], [second], weights_D=first.num_tokens.sum(axis=1)).band
        # Every position of a bin weighs the same here.
        truth = np.array([(curves[0] - curves[1])[low - 1 : high].mean() for low, high in log_bins(256)])
        held += bool(((band.low_W <= truth) & (truth <= band.high_W)).all())
    assert 0.90 < held / 200 <= 1


def test_every_shared_size_and_the_depths_at_the_largest_are_compared(figure: Any) -> None:
    found = paired_differences(load_measured(figure.study))
    assert [(pair.size, pair.first_label, pair.second_label) for pair in found] == [
        (25_000, "LSTM, 2 layers", "Transformer, 2 layers"),
        (75_000, "LSTM, 2 layers", "Transformer, 2 layers"),
        (200_000, "LSTM, 2 layers", "Transformer, 2 layers"),
        (200_000, "LSTM, 1 layer", "LSTM, 2 layers"),
    ]
    entry = found[2].entry()
    assert entry["first_run_ids"] == ["lstm-2-200000-s0"]
    assert entry["second_run_ids"] == ["gpt2-2-200000-s0"]
    assert [(row["position_from"], row["position_to"]) for row in entry["bins"]] == list(log_bins(256))
    assert all(row["low"] < row["difference_nats"] < row["high"] for row in entry["bins"])
    for words in ("At 200K body parameters", "LSTM, 2 layers minus that of Transformer, 2 layers", "wholly above 0 at positions "):
        assert words in entry["sentence"]
    assert found[3].sentence.endswith("the band lies wholly above 0 at positions 1-256.")  # 0.1 nats by depth


def test_several_seeds_of_a_size_are_one_recipe(figure: Any, curves: Any) -> None:
    figure.add("lstm", 2, 200_000, curves["lstm"](200_000, 2), seed=1, validation_loss_nats=2.0)
    pair = paired_differences(load_measured(figure.study))[2]
    assert pair.entry()["first_run_ids"] == ["lstm-2-200000-s0", "lstm-2-200000-s1"]


def test_a_study_of_one_family_or_one_document_has_no_comparison_or_no_limits(maker: Any, curves: Any) -> None:
    maker.add("lstm", 1, 25_000, curves["lstm"](25_000), losses={"num_documents": 1})
    assert paired_differences(load_measured(maker.study)) == ()
    maker.add("gpt2", 2, 25_000, curves["transformer"](25_000), losses={"num_documents": 1})
    (pair,) = paired_differences(load_measured(maker.study))
    assert pair.sentence.endswith(": one document: no interval is possible.")
    assert np.isnan(pair.curve.band.low_W).all()


def test_stretches_join_neighbouring_bins(make_losses: Maker) -> None:
    difference = np.where((T256 > 8) & (T256 <= 64) | (T256 == 1), 0.5, 0.0) - np.where(T256 > 128, 0.5, 0.0)
    first, second = make_losses(3 + difference), make_losses(3 + 0 * T256, noise_seed=9)
    curve = position_differences([first], [second], weights_D=first.num_tokens.sum(axis=1))
    assert curve.positions_where(above=True) == ((1, 1), (9, 64))
    assert curve.positions_where(above=False) == ((129, 256),)
    assert isinstance(curve.band, type(simultaneous_band(np.zeros((3, 1)))))
