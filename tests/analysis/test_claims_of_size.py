"""Claims about loss against size, put to made-up studies whose truth is known."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hf_ctxscale.analysis.claims import Claim, judge_claims
from hf_ctxscale.analysis.measured import load_measured
from hf_ctxscale.analysis.positions import load_losses, mean_statistic, paired_difference
from hf_ctxscale.analysis.replicates import draw_replicates
from hf_ctxscale.records import ParameterGroups

Curves = dict[str, Callable[..., np.ndarray]]
SIZES = (25_000, 75_000, 200_000)


def claims_of(maker: Any) -> dict[str, Claim]:
    measured = load_measured(maker.study)
    return {claim.id: claim for claim in judge_claims(measured, draw_replicates(measured))}


def total(size: int, embedding: int) -> dict[str, ParameterGroups]:
    """Of a model with so many parameters in its embedding."""
    return {"params": ParameterGroups(token_embedding=embedding, position_embedding=0, output_head=0, body=size)}


def test_measured_values_are_the_paired_differences_of_the_curves(figure: Any, curves: Curves) -> None:
    claims = claims_of(figure)
    gap = {size: (curves["lstm"](size, 2) - curves["transformer"](size)).mean() for size in SIZES}
    for size in SIZES:
        assert claims[f"transformer_below_best_lstm_{size}"].measured.value == pytest.approx(gap[size], abs=2e-3)
    slope = np.polyfit(np.log10(SIZES), [gap[size] for size in SIZES], 1)[0]
    assert claims["transformer_gap_grows_with_size"].measured.value == pytest.approx(slope, abs=2e-3)
    assert claims["transformer_gap_grows_with_size"].unit == "nats per factor of ten"
    assert claims["lstm_2_below_lstm_1"].measured.value == pytest.approx(0.1, abs=2e-3)
    assert {run.record.target_body_params for run in claims["lstm_2_below_lstm_1"].runs} == set(SIZES)


def test_with_one_seed_intervals_are_those_of_the_paired_difference(figure: Any) -> None:
    study = figure.study
    lstm, transformer = (load_losses(study.losses_file(f"score-{run_id}-200000-s0")) for run_id in ("lstm-2", "gpt2-2"))
    expected = paired_difference(lstm, transformer, statistic=mean_statistic(1, 256))
    measured = claims_of(figure)["transformer_below_best_lstm_200000"].measured
    assert measured.value == pytest.approx(expected.value)
    assert (measured.low, measured.high) == pytest.approx((expected.low, expected.high), abs=0.15 * (expected.high - expected.low))


def test_the_best_lstm_is_chosen_by_validation_loss_not_by_test_loss(maker: Any, curves: Curves) -> None:
    maker.add("lstm", 1, 200_000, curves["lstm"](200_000) + 0.5, validation_loss_nats=3.0)
    maker.add("lstm", 2, 200_000, curves["lstm"](200_000), validation_loss_nats=3.1)  # better on the test documents
    maker.add("gpt2", 2, 200_000, curves["transformer"](200_000))
    claim = claims_of(maker)["transformer_below_best_lstm_200000"]
    assert [run.record.num_layers for run in claim.runs if run.record.architecture == "lstm"] == [1]
    assert claim.claim.endswith("below that of the best LSTM (1 layer).")


def test_the_best_lstm_cannot_be_chosen_without_validation_losses(maker: Any, curves: Curves) -> None:
    for size in (100_000, 200_000):
        for num_layers in (1, 2):
            maker.add("lstm", num_layers, size, curves["lstm"](size), validation_loss_nats=None, **total(size, 1_000))
        maker.add("gpt2", 2, size, curves["transformer"](size), **total(size, 1_000))
    claims = claims_of(maker)
    for name in ("transformer_below_best_lstm_200000", "transformer_below_best_lstm_total_200000"):
        assert claims[name].verdict == "undecided"
        assert claims[name].reason is not None
        assert "no validation loss is recorded" in claims[name].reason


def test_every_seed_weighs_the_same(maker: Any, curves: Curves) -> None:
    for seed, level in ((0, 0.0), (1, 0.3), (2, 0.6)):
        maker.add("lstm", 1, 200_000, curves["lstm"](200_000) + level, seed=seed)
    maker.add("gpt2", 2, 200_000, curves["transformer"](200_000))
    claim = claims_of(maker)["transformer_below_best_lstm_200000"]
    expected = (curves["lstm"](200_000) - curves["transformer"](200_000)).mean() + 0.3
    assert claim.measured.value == pytest.approx(expected, abs=2e-3)
    assert sorted({run.record.seed for run in claim.runs}) == [0, 1, 2]


def test_at_equal_total_parameters_the_lstm_is_read_between_its_sizes(maker: Any, curves: Curves) -> None:
    # The LSTM is a power law of its parameters in total, so the line in logarithms is exact.
    for size in SIZES:
        flat_loss = 3.0 * ((size + 40_000) / 1e5) ** -0.1
        maker.add("lstm", 1, size, np.full(256, flat_loss), losses={"document_sd": 0.0, "noise_sd": 0.0}, **total(size, 40_000))
        maker.add("gpt2", 2, size, np.full(256, 2.5), losses={"document_sd": 0.0, "noise_sd": 0.0}, **total(size, 60_000))
    claims = claims_of(maker)
    for size in SIZES[:2]:
        claim = claims[f"transformer_below_best_lstm_total_{size}"]
        assert claim.measured.value == pytest.approx(3.0 * ((size + 60_000) / 1e5) ** -0.1 - 2.5)
        assert len(claim.runs) == 3
    largest = claims["transformer_below_best_lstm_total_200000"]
    assert largest.verdict == "undecided"
    assert largest.reason == "no LSTM was measured both below and above 260,000 parameters in total; nothing is said beyond"


def test_at_equal_total_parameters_the_best_lstm_is_chosen_between_its_sizes_too(maker: Any, curves: Curves) -> None:
    # Of one layer: better at the small size, worse at the large one.
    for size, losses in ((100_000, (3.5, 3.6)), (200_000, (3.4, 3.1))):
        for num_layers, loss in enumerate(losses, start=1):
            maker.add("lstm", num_layers, size, np.full(256, 3.0), validation_loss_nats=loss, **total(size, 1_000))
        maker.add("gpt2", 2, size, np.full(256, 3.0), **total(size, 0 if size == 200_000 else 2_000))
    claims = claims_of(maker)

    def depths(size: int) -> set[int]:
        runs = claims[f"transformer_below_best_lstm_total_{size}"].runs
        return {run.record.num_layers for run in runs if run.record.architecture == "lstm"}

    assert (depths(100_000), depths(200_000)) == ({1}, {2})


@pytest.mark.parametrize(("family", "other"), [("lstm", "Transformer"), ("gpt2", "LSTM")])
def test_one_family_alone_leaves_comparisons_undecided_with_the_reason(maker: Any, curves: Curves, family: str, other: str) -> None:
    for size in (25_000, 200_000):
        maker.add(family, 2, size, curves["lstm" if family == "lstm" else "transformer"](size))
    claims = claims_of(maker)
    assert "transformer_below_best_lstm_25000" not in claims
    for name in ("transformer_below_best_lstm_200000", "transformer_advantage_grows_along_context"):
        claim = claims[name]
        assert (claim.verdict, claim.reason) == ("undecided", f"no {other} of 200,000 body parameters is finished and scored")
        assert np.isnan([claim.measured.value, claim.measured.low, claim.measured.high]).all()
        assert claim.runs == ()
    alone = "lstm_2_flat_beyond_64" if family == "lstm" else "transformer_gains_beyond_64"
    assert claims[alone].verdict == "supported"
    assert claims["lstm_depth_lowers_loss"].reason == f"this needs LSTMs of two depths; the study has {'1' if family == 'lstm' else 'none'}"


def test_claims_are_about_the_sizes_that_both_families_finished(maker: Any, curves: Curves) -> None:
    for size in SIZES:
        maker.add("lstm", 1, size, curves["lstm"](size))
        state = {"state": "failed", "reason": "the loss is not finite"} if size == 200_000 else {}
        maker.add("gpt2", 2, size, curves["transformer"](size), **state)
    claims = claims_of(maker)
    assert "transformer_below_best_lstm_200000" not in claims
    claim = claims["transformer_below_best_lstm_75000"]
    assert {run.record.target_body_params for run in claim.runs} == {75_000}
    assert claim.claim.startswith("At 75,000 body parameters (the largest that every family finished; 200,000 is planned)")
    assert {run.record.target_body_params for run in claims["transformer_gap_grows_with_size"].runs} == {25_000, 75_000}


def test_a_larger_model_of_neither_family_is_not_planned_for_them(figure: Any, curves: Curves) -> None:
    figure.add("lstm_residual", 2, 500_000, curves["lstm"](500_000))
    claim = claims_of(figure)["transformer_below_best_lstm_200000"]
    assert claim.claim.startswith("At 200,000 body parameters (the largest size), ")


def test_a_depth_that_failed_is_undecided_and_not_left_out(figure: Any) -> None:
    figure.add_run("lstm-4-200000-s0", "lstm", 4, 200_000, state="failed", reason="the loss is not finite")
    claims = claims_of(figure)
    assert claims["lstm_4_flat_beyond_64"].reason == "no 4-layer LSTM of 200,000 body parameters is finished and scored"
    reason = "no size has both a 2-layer and a 4-layer LSTM that are finished and scored"
    assert (claims["lstm_4_below_lstm_2"].verdict, claims["lstm_4_below_lstm_2"].reason) == ("undecided", reason)
    assert claims["lstm_1_flat_beyond_64"].verdict == "supported"


def test_depths_are_compared_at_the_sizes_they_share(maker: Any, curves: Curves) -> None:
    for num_layers, sizes in ((1, SIZES), (2, SIZES[1:]), (4, SIZES[2:])):
        for size in sizes:
            maker.add("lstm", num_layers, size, curves["lstm"](size, num_layers))
    claims = claims_of(maker)
    assert claims["lstm_2_below_lstm_1"].claim.startswith("Averaged over 2 sizes, ")
    assert claims["lstm_4_below_lstm_2"].claim.startswith("At 200,000 body parameters, ")
    assert claims["lstm_4_below_lstm_2"].measured.value == pytest.approx(0.2, abs=2e-3)


def test_one_size_cannot_show_growth(maker: Any, curves: Curves) -> None:
    maker.add("lstm", 1, 200_000, curves["lstm"](200_000))
    maker.add("gpt2", 2, 200_000, curves["transformer"](200_000))
    claim = claims_of(maker)["transformer_gap_grows_with_size"]
    assert claim.verdict == "undecided"
    assert claim.reason is not None
    assert "two sizes" in claim.reason
    assert claim.claim.endswith("grows with size.")


def test_what_is_said_across_sizes_tells_of_unequal_training_tokens(maker: Any, curves: Curves) -> None:
    for size, tokens in ((20_000, 3_000_000), (200_000, 8_000_000)):
        maker.add("lstm", 1, size, curves["lstm"](size), train_tokens=tokens)
        maker.add("gpt2", 2, size, curves["transformer"](size), train_tokens=tokens)
    claims = claims_of(maker)
    growth = claims["transformer_gap_grows_with_size"]
    assert growth.claim.endswith("from 20,000 to 200,000 body parameters (and from 3.0 to 8.0 million training tokens).")
    between = claims["transformer_below_best_lstm_total_20000"]
    assert between.claim.endswith("read between the LSTM's sizes, trained on 3 and 8 million tokens against its 3.")


def test_with_equal_tokens_nothing_is_said_of_them(maker: Any, curves: Curves) -> None:
    for size in (20_000, 200_000):
        maker.add("lstm", 1, size, curves["lstm"](size))
        maker.add("gpt2", 2, size, curves["transformer"](size))
    claims = claims_of(maker)
    assert claims["transformer_gap_grows_with_size"].claim.endswith("from 20,000 to 200,000 body parameters.")
    assert claims["transformer_below_best_lstm_total_20000"].claim.endswith("read between the LSTM's sizes.")


def test_an_equal_total_that_some_depth_was_not_measured_around_is_not_decided(maker: Any, curves: Curves) -> None:
    for num_layers, sizes in ((1, SIZES), (4, SIZES[1:])):
        for size in sizes:
            maker.add("lstm", num_layers, size, curves["lstm"](size), **total(size, 0))
    for size in SIZES:
        maker.add("gpt2", 2, size, curves["transformer"](size), **total(size, 0))
    claims = claims_of(maker)
    # The deep LSTM that begins at 75,000 may have been the best at 25,000.
    claim = claims["transformer_below_best_lstm_total_25000"]
    assert claim.verdict == "undecided"
    assert claim.reason is not None
    assert "only 1 of the LSTM's 2 depths" in claim.reason
    assert np.isnan(claim.measured.value)
    assert np.isfinite(claims["transformer_below_best_lstm_total_75000"].measured.value)


def test_a_total_next_to_the_end_of_the_lstms_range_is_taken_for_that_end(maker: Any, curves: Curves) -> None:
    for size in SIZES:
        maker.add("lstm", 1, size, curves["lstm"](size), **total(size, 0))
        maker.add("gpt2", 2, size, curves["transformer"](size), **total(size, size // 50))
    claim = claims_of(maker)["transformer_below_best_lstm_total_200000"]
    assert claim.measured.value == pytest.approx((curves["lstm"](200_000) - curves["transformer"](200_000)).mean(), abs=2e-3)
    assert len(claim.runs) == 2
