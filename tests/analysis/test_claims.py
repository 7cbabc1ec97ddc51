"""Claims put to made-up studies whose truth is known: which there are, how they are judged, what the file holds of them."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hf_ctxscale.analysis.claims import ONE_SEED, THESE_MODELS, Claim, judge_claims
from hf_ctxscale.analysis.holm import holm
from hf_ctxscale.analysis.measured import load_measured
from hf_ctxscale.analysis.replicates import draw_replicates

Curves = dict[str, Callable[..., np.ndarray]]

OF_SIZE = [
    *(f"transformer_below_best_lstm_{size}" for size in (25_000, 75_000, 200_000)),
    *(f"transformer_below_best_lstm_total_{size}" for size in (25_000, 75_000, 200_000)),
    "transformer_gap_grows_with_size",
    "lstm_2_below_lstm_1",
]
OF_CONTEXT = [
    "lstm_1_flat_beyond_64",
    "lstm_2_flat_beyond_64",
    "transformer_gains_beyond_64",
    "transformer_gains_in_last_octave",
    "transformer_advantage_grows_along_context",
]
OF_EXPONENTS = ["exponent_gpt2-2", "exponent_lstm-1", "exponent_lstm-2", "exponent_above_lstm_1", "exponent_above_lstm_2"]


def claims_of(maker: Any, **options: Any) -> dict[str, Claim]:
    measured = load_measured(maker.study).at_full_budget()
    return {claim.id: claim for claim in judge_claims(measured, draw_replicates(measured, **options))}


def test_a_study_like_the_figure_supports_what_the_figure_says(seeded_figure: Any) -> None:
    claims = claims_of(seeded_figure)
    assert list(claims) == OF_SIZE + OF_CONTEXT + OF_EXPONENTS
    exponents = {"exponent_lstm-1", "exponent_lstm-2", "exponent_gpt2-2"}  # these laws are no power laws through zero
    for name in set(claims) - exponents:
        claim = claims[name]
        assert (name, claim.verdict, claim.reason) == (name, "supported", None)
        assert claim.measured.low <= claim.measured.value <= claim.measured.high
        assert claim.p_value is not None
        assert claim.p_adjusted is not None
        assert claim.p_value <= claim.p_adjusted <= 0.05


def test_the_opposite_curves_are_not_supported(maker: Any, curves: Curves) -> None:
    rng = np.random.default_rng(0)
    for size in (25_000, 75_000, 200_000):
        for seed in range(3):
            for num_layers in (1, 2):
                # These "LSTMs" have the Transformer's curve, get worse with depth, and the Transformer is flat.
                curve = curves["transformer"](size) + 0.1 * num_layers + rng.normal(0, 0.005)
                maker.add("lstm", num_layers, size, curve, seed=seed, validation_loss_nats=float(curve.mean()))
            maker.add("gpt2", 2, size, curves["lstm"](25_000) + 0.05 * np.log10(size / 25_000) + rng.normal(0, 0.005), seed=seed)
    claims = claims_of(maker)
    verdicts = {name: claim.verdict for name, claim in claims.items() if claim.kind != "exponent"}
    # A Transformer that neither gains nor loses in the last octave leaves that open.
    assert verdicts.pop("transformer_gains_in_last_octave") == "undecided"
    assert set(verdicts.values()) == {"not supported"}
    assert claims["exponent_above_lstm_1"].verdict == "not supported"


def test_one_seed_cannot_decide_on_gaps_and_exponents_but_on_what_these_models_gain(figure: Any) -> None:
    for claim in claims_of(figure).values():
        if claim.kind == "gain":
            assert (claim.verdict, claim.reason) == ("supported", THESE_MODELS)
        elif np.isfinite(claim.measured.value):
            assert (claim.verdict, claim.reason) == ("undecided", ONE_SEED)
            assert claim.measured.has_interval
            assert (claim.p_value, claim.p_adjusted) == (None, None)


def test_p_is_corrected_for_all_claims_that_could_be_tested_and_for_no_other(seeded_figure: Any) -> None:
    seeded_figure.add_run("lstm-4-200000-s0", "lstm", 4, 200_000, state="failed", reason="the loss is not finite")
    claims = claims_of(seeded_figure)
    tested = [claim for claim in claims.values() if claim.p_value is not None]
    assert len(tested) < len(claims)
    assert tuple(claim.p_adjusted for claim in tested) == holm([claim.p_value or 0.0 for claim in tested])


def test_a_list_too_long_for_the_replicates_takes_the_verdicts_back_and_says_so(seeded_figure: Any) -> None:
    claims = claims_of(seeded_figure, num_replicates=200)
    claim = claims["transformer_below_best_lstm_200000"]
    assert claim.measured.low > 0
    assert claim.verdict == "undecided"
    assert claim.reason is not None
    assert claim.reason.startswith("the interval alone says supported, but among ")
    assert claim.p_adjusted is not None
    assert claim.p_adjusted > 0.05


def test_documents_are_paired(seeded_figure: Any) -> None:
    # They differ by 0.3 nats; what is left is the noise and the seeds.
    gap = claims_of(seeded_figure)["transformer_below_best_lstm_75000"].measured
    assert gap.high - gap.low < 0.05


@pytest.mark.parametrize(
    ("num_documents", "reason"), [(19, "19 documents; an interval from fewer than 20"), (1, "one document: no interval")]
)
def test_few_documents_decide_nothing(maker: Any, curves: Curves, num_documents: int, reason: str) -> None:
    for size in (25_000, 75_000, 200_000):
        for seed in range(2):
            for num_layers in (1, 2):
                curve = curves["lstm"](size, num_layers) + 0.01 * seed
                maker.add("lstm", num_layers, size, curve, seed=seed, losses={"num_documents": num_documents})
            maker.add("gpt2", 2, size, curves["transformer"](size) + 0.01 * seed, seed=seed, losses={"num_documents": num_documents})
    for claim in claims_of(maker).values():
        assert claim.verdict == "undecided"
        if not np.isfinite(claim.measured.value):
            continue
        assert claim.reason is not None
        assert claim.reason.startswith(reason)
        assert claim.measured.has_interval == (num_documents > 1)
        assert claim.p_value is None


def test_replicates_of_other_budgets_too_give_the_same_claims(seeded_figure: Any, curves: Curves) -> None:
    seeded_figure.add("lstm", 1, 200_000, curves["lstm"](200_000) + 0.3, tag="-half", train_tokens=500_000)
    measured = load_measured(seeded_figure.study)
    full = measured.at_full_budget()
    assert len(full.runs) == len(measured.runs) - 1
    claims = judge_claims(full, draw_replicates(measured))
    assert {run.record.train_tokens for claim in claims for run in claim.runs} == {1_000_000}


def test_the_order_of_the_runs_changes_no_value(seeded_figure: Any) -> None:
    measured = load_measured(seeded_figure.study)
    turned = dataclasses.replace(measured, runs=measured.runs[::-1])
    for one, other in zip(*(judge_claims(each, draw_replicates(each)) for each in (measured, turned)), strict=True):
        assert (one.id, one.verdict) == (other.id, other.verdict)
        assert one.measured.value == pytest.approx(other.measured.value, nan_ok=True)


def test_the_entry_is_plain_json_and_says_what_it_was_measured_on(seeded_figure: Any) -> None:
    claims = claims_of(seeded_figure)
    entries = {name: claim.entry() for name, claim in claims.items()}
    assert json.loads(json.dumps(entries, allow_nan=False)) == entries
    entry = entries["lstm_2_flat_beyond_64"]
    assert entry["run_ids"] == [f"lstm-2-200000-s{seed}" for seed in range(3)]
    assert (entry["num_documents"], entry["num_runs"], entry["seeds"], entry["train_tokens"]) == (30, 3, [0, 1, 2], [1_000_000, 1_000_000])
    assert (entry["unit"], entry["confidence"], entry["verdict"], entry["kind"]) == ("nats", 0.90, "supported", "gain")
    assert entries["exponent_gpt2-2"]["paper"] == 0.076
    assert entry["paper"] is None


def test_what_cannot_be_tested_is_null_with_a_reason(maker: Any, curves: Curves) -> None:
    maker.add("lstm", 1, 200_000, curves["lstm"](200_000))
    entry = claims_of(maker)["transformer_below_best_lstm_200000"].entry()
    assert {entry[name] for name in ("measured", "low", "high", "p_value", "p_adjusted", "train_tokens")} == {None}
    assert (entry["verdict"], entry["reason"]) == ("undecided", "no Transformer of 200,000 body parameters is finished and scored")
    assert (entry["run_ids"], entry["seeds"], entry["num_runs"]) == ([], [], 0)
