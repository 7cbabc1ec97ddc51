"""Claims put to made-up studies whose truth is known."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hf_ctxscale.analysis.claims import Claim, judge_claims
from hf_ctxscale.analysis.fits import analyse_study
from hf_ctxscale.analysis.measured import load_measured
from hf_ctxscale.analysis.positions import PositionLosses, load_losses, mean_statistic, paired_difference

Curves = dict[str, Callable[..., np.ndarray]]


def claims_of(maker: Any) -> dict[str, Claim]:
    return {claim.id: claim for claim in judge_claims(load_measured(maker.study))}


def test_a_study_like_the_figure_supports_every_claim(figure: Any) -> None:
    claims = claims_of(figure)
    assert list(claims) == [
        "transformer_below_best_lstm",
        "transformer_gap_grows_with_size",
        "lstm_1_flat_beyond_64",
        "lstm_2_flat_beyond_64",
        "transformer_gains_beyond_64",
        "transformer_advantage_grows_along_context",
        "lstm_depth_lowers_loss",
    ]
    assert {claim.verdict for claim in claims.values()} == {"supported"}
    assert all(claim.reason is None for claim in claims.values())
    assert all(claim.measured.low <= claim.measured.value <= claim.measured.high for claim in claims.values())


def test_the_opposite_curves_are_not_supported(maker: Any, curves: Curves) -> None:
    for size in (25_000, 200_000):
        for num_layers in (1, 2):
            # These "LSTMs" have the Transformer's curve, get worse with depth, and the Transformer is flat.
            curve = curves["transformer"](size) + 0.1 * num_layers
            maker.add("lstm", num_layers, size, curve, validation_loss_nats=float(curve.mean()))
        maker.add("gpt2", 2, size, curves["lstm"](25_000))
    claims = claims_of(maker)
    assert {claim.verdict for claim in claims.values()} == {"not supported"}


def test_measured_values_are_the_paired_differences_of_the_curves(figure: Any, curves: Curves) -> None:
    claims = claims_of(figure)
    lstm, transformer = (
        {size: curves[name](size, *depth) for size in (25_000, 200_000)} for name, depth in (("lstm", (2,)), ("transformer", ()))
    )
    gap = {size: (lstm[size] - transformer[size]).mean() for size in lstm}
    along = lstm[200_000] - transformer[200_000]
    expected = {
        "transformer_below_best_lstm": gap[200_000],
        "transformer_gap_grows_with_size": gap[200_000] - gap[25_000],
        "lstm_2_flat_beyond_64": lstm[200_000][64:128].mean() - lstm[200_000][128:].mean(),
        "transformer_gains_beyond_64": transformer[200_000][64:128].mean() - transformer[200_000][128:].mean(),
        "transformer_advantage_grows_along_context": along[128:].mean() - along[16:32].mean(),
        "lstm_depth_lowers_loss": 0.1,
    }
    for name, value in expected.items():
        assert claims[name].measured.value == pytest.approx(value, abs=2e-3)


def test_intervals_are_those_of_the_paired_difference(figure: Any) -> None:
    study = figure.study
    lstm, transformer = (load_losses(study.losses_file(f"score-{run_id}-200000-s0")) for run_id in ("lstm-2", "gpt2-2"))
    expected = paired_difference(lstm, transformer, statistic=mean_statistic(1, 256))
    measured = claims_of(figure)["transformer_below_best_lstm"].measured
    assert (measured.value, measured.low, measured.high) == pytest.approx((expected.value, expected.low, expected.high))


def test_the_best_lstm_is_chosen_by_validation_loss_not_by_test_loss(maker: Any, curves: Curves) -> None:
    maker.add("lstm", 1, 200_000, curves["lstm"](200_000) + 0.5, validation_loss_nats=3.0)
    maker.add("lstm", 2, 200_000, curves["lstm"](200_000), validation_loss_nats=3.1)  # better on the test documents
    maker.add("gpt2", 2, 200_000, curves["transformer"](200_000))
    claim = claims_of(maker)["transformer_below_best_lstm"]
    assert [run.record.num_layers for run in claim.runs if run.record.architecture == "lstm"] == [1]
    assert claim.claim.endswith("below that of the best LSTM (1 layer).")


def test_the_best_lstm_cannot_be_chosen_without_validation_losses(maker: Any, curves: Curves) -> None:
    for num_layers in (1, 2):
        maker.add("lstm", num_layers, 200_000, curves["lstm"](200_000), validation_loss_nats=None)
    maker.add("gpt2", 2, 200_000, curves["transformer"](200_000))
    claim = claims_of(maker)["transformer_below_best_lstm"]
    assert claim.verdict == "undecided"
    assert claim.reason is not None
    assert "no validation loss is recorded" in claim.reason


def test_documents_of_which_no_token_counted_are_no_clusters(maker: Any, make_losses: Callable[..., PositionLosses]) -> None:
    losses = make_losses(np.linspace(3.5, 3.0, 256), num_documents=25)
    counts = np.where(np.arange(25)[:, None] < 19, losses.num_tokens, 0)
    sums = np.where(counts > 0, losses.loss_sum_nats, 0.0)
    maker.add_run("lstm-1", "lstm", 1, 200_000)
    maker.add_score("score", dataclasses.replace(losses, num_tokens=counts, loss_sum_nats=sums), run_id="lstm-1")
    claim = claims_of(maker)["lstm_1_flat_beyond_64"]
    assert claim.measured.num_documents == 19
    assert claim.verdict == "undecided"


def test_every_seed_weighs_the_same(maker: Any, curves: Curves) -> None:
    for seed, level in ((0, 0.0), (1, 0.3), (2, 0.6)):
        maker.add("lstm", 1, 200_000, curves["lstm"](200_000) + level, seed=seed)
    maker.add("gpt2", 2, 200_000, curves["transformer"](200_000))
    claim = claims_of(maker)["transformer_below_best_lstm"]
    expected = (curves["lstm"](200_000) - curves["transformer"](200_000)).mean() + 0.3
    assert claim.measured.value == pytest.approx(expected, abs=2e-3)
    assert sorted({run.record.seed for run in claim.runs}) == [0, 1, 2]


def test_only_the_trial_of_lowest_validation_loss_enters(maker: Any, curves: Curves) -> None:
    curve = curves["lstm"](200_000)
    maker.add("lstm", 1, 200_000, curve - 2.0, tag="-low", learning_rate=1e-4, validation_loss_nats=3.5)  # luck on the test documents
    maker.add("lstm", 1, 200_000, curve, tag="-mid", learning_rate=1e-3, validation_loss_nats=3.1)
    maker.add("lstm", 1, 200_000, curve, tag="-none", learning_rate=1e-2, validation_loss_nats=None)
    measured = load_measured(maker.study)
    assert [run.record.run_id for run in measured.runs] == ["lstm-1-200000-s0-mid"]
    assert measured.notes == ("lstm-1-200000-s0-mid: learning rate 0.001 chosen by validation loss among 0.0001, 0.001, 0.01.",)


@pytest.mark.parametrize(("family", "other"), [("lstm", "Transformer"), ("gpt2", "LSTM")])
def test_one_family_alone_leaves_comparisons_undecided_with_the_reason(maker: Any, curves: Curves, family: str, other: str) -> None:
    for size in (25_000, 200_000):
        maker.add(family, 2, size, curves["lstm" if family == "lstm" else "transformer"](size))
    claims = claims_of(maker)
    for name in ("transformer_below_best_lstm", "transformer_gap_grows_with_size", "transformer_advantage_grows_along_context"):
        claim = claims[name]
        assert (claim.verdict, claim.reason) == ("undecided", f"no {other} of 200,000 body parameters is finished and scored")
        assert np.isnan([claim.measured.value, claim.measured.low, claim.measured.high]).all()
        assert claim.runs == ()
    alone = "lstm_2_flat_beyond_64" if family == "lstm" else "transformer_gains_beyond_64"
    assert claims[alone].verdict == "supported"
    assert claims["lstm_depth_lowers_loss"].reason == f"this needs LSTMs of two depths; the study has {'1' if family == 'lstm' else 'none'}"


def test_claims_are_about_the_largest_size_that_both_families_finished(maker: Any, curves: Curves) -> None:
    for size in (25_000, 75_000, 200_000):
        maker.add("lstm", 1, size, curves["lstm"](size))
        state = {"state": "failed", "reason": "the loss is not finite"} if size == 200_000 else {}
        maker.add("gpt2", 2, size, curves["transformer"](size), **state)
    claims = claims_of(maker)
    claim = claims["transformer_below_best_lstm"]
    assert claim.verdict == "supported"
    assert {run.record.target_body_params for run in claim.runs} == {75_000}
    assert claim.claim.startswith("At 75,000 body parameters (the largest that every family finished; 200,000 is planned)")
    assert {run.record.target_body_params for run in claims["transformer_gap_grows_with_size"].runs} == {25_000, 75_000}


def test_a_depth_that_failed_is_undecided_and_not_left_out(figure: Any) -> None:
    figure.add_run("lstm-4-200000-s0", "lstm", 4, 200_000, state="failed", reason="the loss is not finite")
    claims = claims_of(figure)
    reason = "no 4-layer LSTM of 200,000 body parameters is finished and scored"
    assert (claims["lstm_4_flat_beyond_64"].verdict, claims["lstm_4_flat_beyond_64"].reason) == ("undecided", reason)
    assert claims["lstm_depth_lowers_loss"].reason == reason
    assert claims["lstm_1_flat_beyond_64"].verdict == "supported"


def test_one_size_cannot_show_growth(maker: Any, curves: Curves) -> None:
    maker.add("lstm", 1, 200_000, curves["lstm"](200_000))
    maker.add("gpt2", 2, 200_000, curves["transformer"](200_000))
    claim = claims_of(maker)["transformer_gap_grows_with_size"]
    assert claim.verdict == "undecided"
    assert claim.reason is not None
    assert "two sizes" in claim.reason


@pytest.mark.parametrize(("context_tokens", "along"), [(32, "undecided"), (64, "supported")])
def test_a_short_context_leaves_claims_about_it_undecided(maker: Any, curves: Curves, context_tokens: int, along: str) -> None:
    maker.add("lstm", 1, 200_000, curves["lstm"](200_000, context_tokens=context_tokens))
    maker.add("gpt2", 2, 200_000, curves["transformer"](200_000, context_tokens=context_tokens))
    claims = claims_of(maker)
    for name in ("lstm_1_flat_beyond_64", "transformer_gains_beyond_64"):
        assert claims[name].verdict == "undecided"
        assert claims[name].reason == f"the context gain needs a context of 256 tokens or more; this one has {context_tokens}"
    assert claims["transformer_advantage_grows_along_context"].verdict == along
    assert claims["transformer_below_best_lstm"].verdict in ("supported", "not supported")


@pytest.mark.parametrize(
    ("num_documents", "reason"), [(19, "19 documents; an interval from fewer than 20"), (1, "one document: no interval")]
)
def test_few_documents_decide_nothing(maker: Any, curves: Curves, num_documents: int, reason: str) -> None:
    for size in (25_000, 200_000):
        for num_layers in (1, 2):
            maker.add("lstm", num_layers, size, curves["lstm"](size, num_layers), losses={"num_documents": num_documents})
        maker.add("gpt2", 2, size, curves["transformer"](size), losses={"num_documents": num_documents})
    for claim in claims_of(maker).values():
        assert claim.verdict == "undecided"
        assert claim.reason is not None
        assert claim.reason.startswith(reason)
        assert np.isfinite(claim.measured.value)
        assert claim.measured.has_interval == (num_documents > 1)


def test_what_is_said_across_sizes_tells_of_unequal_training_tokens(maker: Any, curves: Curves) -> None:
    for size, tokens in ((20_000, 3_000_000), (200_000, 8_000_000)):
        maker.add("lstm", 1, size, curves["lstm"](size), train_tokens=tokens)
        maker.add("gpt2", 2, size, curves["transformer"](size), train_tokens=tokens)
    growth = claims_of(maker)["transformer_gap_grows_with_size"]
    assert growth.claim.endswith("from 20,000 to 200,000 body parameters (and from 3.0 to 8.0 million training tokens).")
    assert any("mixes size and data" in note for note in analyse_study(maker.study)["notes"])


def test_with_equal_tokens_or_one_size_nothing_is_said_of_them(maker: Any, curves: Curves) -> None:
    maker.add("lstm", 1, 20_000, curves["lstm"](20_000))
    maker.add("gpt2", 2, 20_000, curves["transformer"](20_000))
    assert claims_of(maker)["transformer_gap_grows_with_size"].claim.endswith("grows with size.")
    maker.add("lstm", 1, 200_000, curves["lstm"](200_000))
    maker.add("gpt2", 2, 200_000, curves["transformer"](200_000))
    assert claims_of(maker)["transformer_gap_grows_with_size"].claim.endswith("from 20,000 to 200,000 body parameters.")
    assert not any("mixes" in note for note in analyse_study(maker.study)["notes"])
