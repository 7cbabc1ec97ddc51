"""results/fits.json of made-up study folders."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hf_ctxscale.analysis.fits import analyse_study
from hf_ctxscale.analysis.positions import PositionLosses, load_losses, mean_loss
from hf_ctxscale.study import Study, UserError

Curves = dict[str, Callable[..., np.ndarray]]


def test_the_file_holds_what_is_returned(figure: Any) -> None:
    fits = analyse_study(figure.study)
    assert json.loads(figure.study.fits_file.read_text()) == fits
    assert list(fits) == ["format", "loss_vs_parameters", "loss_vs_position", "claims", "notes"]
    assert fits["format"] == 1


def test_loss_against_parameters_has_one_entry_per_series(figure: Any) -> None:
    entries = {entry["series"]: entry for entry in analyse_study(figure.study)["loss_vs_parameters"]}
    assert list(entries) == ["gpt2-2", "lstm-1", "lstm-2"]
    lstm = entries["lstm-1"]
    assert (lstm["architecture"], lstm["num_layers"], lstm["x"], lstm["form"]) == ("lstm", 1, "body_params", "(N_c/N)^alpha")
    assert lstm["converged"]
    assert lstm["reason"] is None
    assert [point["x"] for point in lstm["points"]] == [25_001, 75_001, 200_001]
    for param in lstm["params"].values():
        assert param["low"] < param["value"] < param["high"]
    for point in lstm["points"]:
        loss = mean_loss(load_losses(figure.study.losses_file(f"score-{point['run_id']}")))
        assert (point["loss_nats"], point["loss_low"], point["loss_high"]) == pytest.approx((loss.value, loss.low, loss.high))
        assert point["predicted"] == pytest.approx((lstm["params"]["n_c"]["value"] / point["x"]) ** lstm["params"]["alpha"]["value"])
        assert point["residual"] == pytest.approx(point["loss_nats"] - point["predicted"])


def test_loss_against_position_has_one_entry_per_run(figure: Any) -> None:
    entries = {entry["run_id"]: entry for entry in analyse_study(figure.study)["loss_vs_position"]}
    assert len(entries) == 9
    transformer = entries["gpt2-2-200000-s0"]
    assert transformer["form"] == "L_inf + A*t^-alpha"
    assert transformer["params"]["alpha"]["value"] == pytest.approx(0.4, abs=0.01)
    assert transformer["params"]["l_inf"]["value"] == pytest.approx(2.4, abs=0.3)  # with the level of these documents
    assert len(transformer["residual_nats"]) == len(transformer["bins"])
    assert max(map(abs, transformer["residual_nats"])) < 0.02


def test_claims_carry_value_interval_rule_and_verdict(figure: Any) -> None:
    claims = {claim["id"]: claim for claim in analyse_study(figure.study)["claims"]}
    claim = claims["lstm_2_flat_beyond_64"]
    assert claim["claim"].startswith("At 200,000 body parameters (the largest size), the 2-layer LSTM is flat beyond 64 tokens")
    assert -0.02 < claim["low"] < claim["measured"] < claim["high"] < 0.02
    assert (claim["unit"], claim["confidence"], claim["verdict"], claim["reason"]) == ("nats", 0.90, "supported", None)
    assert (claim["num_documents"], claim["num_runs"], claim["seeds"]) == (30, 1, [0])
    assert claim["rule"].startswith("supported where the 90 % interval")
    assert claims["transformer_gap_grows_with_size"]["num_runs"] == 4


def test_notes_say_what_the_intervals_cover(figure: Any) -> None:
    notes = analyse_study(figure.study)["notes"]
    assert notes[0] == "Measured on 30 test documents of made-up, within windows of 256 tokens; every window weighs the same."
    assert notes[1] == "Intervals cover the choice of test documents; they are conditional on these trained models (one seed)."


def test_an_unfinished_study_is_analysed_as_far_as_it_is_and_says_so(maker: Any, curves: Curves) -> None:
    maker.add("lstm", 1, 25_000, curves["lstm"](25_000))
    maker.add_run("lstm-1-75000-s0", "lstm", 1, 75_000, state="failed", reason="the loss is not finite")
    maker.add_run("lstm-1-200000-s0", "lstm", 1, 200_000, state="waiting")
    maker.add_run("gpt2-2-25000-s0", "gpt2", 2, 25_000, state="training")
    maker.add_run("lstm-2-25000-s0", "lstm", 2, 25_000)
    fits = analyse_study(maker.study)
    (entry,) = fits["loss_vs_parameters"]
    assert entry["params"] == {name: {"value": None, "low": None, "high": None} for name in ("alpha", "n_c")}
    assert entry["reason"] == "a power law needs two sizes or more; this series has 1"
    (point,) = entry["points"]
    assert (point["predicted"], point["residual"]) == (None, None)
    assert point["loss_low"] < point["loss_nats"] < point["loss_high"]
    assert {claim["verdict"] for claim in fits["claims"]} <= {"undecided", "supported"}
    assert "Left out: lstm-1-75000-s0 failed: the loss is not finite" in fits["notes"]
    assert "2 runs are not finished; these results hold those that are." in fits["notes"]
    assert "Left out: lstm-2-25000-s0 is not scored as the others are." in fits["notes"]


def test_what_is_not_identifiable_is_null_with_a_reason(maker: Any) -> None:
    maker.add("lstm", 1, 25_000, np.linspace(3.0, 3.5, 256))
    (entry,) = analyse_study(maker.study)["loss_vs_position"]
    assert entry["params"] == {name: {"value": None, "low": None, "high": None} for name in ("l_inf", "a", "alpha")}
    assert entry["reason"] == "not identifiable: the loss does not fall along the context (A is 0)"
    assert entry["residual_nats"] == []


def test_seeds_are_points_of_one_series(maker: Any, curves: Curves) -> None:
    for seed in (0, 1):
        for size in (25_000, 200_000):
            maker.add("lstm", 1, size, curves["lstm"](size), seed=seed)
    fits = analyse_study(maker.study)
    (entry,) = fits["loss_vs_parameters"]
    assert [point["x"] for point in entry["points"]] == [25_001, 25_001, 200_001, 200_001]
    assert fits["notes"][1].endswith("(2 seeds, averaged).")
    assert any(note.startswith("Two sizes only (lstm-1)") for note in fits["notes"])


def test_trials_that_lost_are_in_no_fit(maker: Any, curves: Curves) -> None:
    for tag, rate, validation in (("-a", 1e-4, 3.5), ("-b", 1e-3, 3.1)):
        maker.add("lstm", 1, 25_000, curves["lstm"](25_000), tag=tag, learning_rate=rate, validation_loss_nats=validation)
    fits = analyse_study(maker.study)
    assert [entry["run_id"] for entry in fits["loss_vs_position"]] == ["lstm-1-25000-s0-b"]
    assert [point["run_id"] for point in fits["loss_vs_parameters"][0]["points"]] == ["lstm-1-25000-s0-b"]


def test_one_document_gives_values_without_intervals(maker: Any, curves: Curves) -> None:
    for size in (25_000, 200_000):
        maker.add("gpt2", 2, size, curves["transformer"](size), losses={"num_documents": 1})
    fits = analyse_study(maker.study)
    for entry in (*fits["loss_vs_parameters"], *fits["loss_vs_position"]):
        assert entry["reason"] == "one document: no interval is possible"
        for param in entry["params"].values():
            assert math.isfinite(param["value"])
            assert (param["low"], param["high"]) == (None, None)


def test_other_ways_of_scoring_do_not_mix_with_the_main_one(figure: Any, make_losses: Callable[..., PositionLosses]) -> None:
    before = analyse_study(figure.study)
    for run_id in ("gpt2-2-25000-s0", "gpt2-2-200000-s0"):
        figure.add_score(f"a-{run_id}", make_losses(np.full(256, 9.0)), run_id=run_id, windows="start")
        figure.add_score(f"b-{run_id}", make_losses(np.full(256, 9.0)), run_id=run_id, split="validation")
    assert analyse_study(figure.study) == before


def test_scores_of_other_documents_are_refused(figure: Any, make_losses: Callable[..., PositionLosses]) -> None:
    figure.add_score("score-gpt2-2-75000-s0", make_losses(np.full(256, 3.0), num_documents=29), run_id="gpt2-2-75000-s0")
    with pytest.raises(UserError, match=r"gpt2-2-75000-s0.*different documents"):
        analyse_study(figure.study)


def test_a_study_with_no_finished_run_is_a_sentence(maker: Any, tmp_path: Path) -> None:
    maker.add_run("lstm-1", "lstm", 1, 25_000, state="failed", reason="the loss is not finite")
    maker.add_run("lstm-2", "lstm", 2, 25_000, state="training")
    with pytest.raises(UserError, match=r"has finished \(2 have a record; lstm-1 failed: the loss is not finite\)"):
        analyse_study(maker.study)
    with pytest.raises(UserError, match=r"0 have a record"):
        analyse_study(Study(tmp_path / "nothing"))
    maker.add_run("lstm-1", "lstm", 1, 25_000)
    with pytest.raises(UserError, match="is scored"):
        analyse_study(maker.study)
    assert not maker.study.fits_file.exists()
